"""Mailboxes, such as `Dining <dining@example.com>`."""

from email.headerregistry import Address, HeaderRegistry


def parse_mailbox(mailbox: str) -> Address:
    """Return the address of a mailbox that the configuration has validated."""
    [address] = HeaderRegistry()("From", mailbox).addresses  # type: ignore[attr-defined]  # the header class is made at run time
    return address

"""Turns the content of an email into the message as it is sent: text, HTML and, about confirmed tables, a calendar."""

from email import policy
from email.message import EmailMessage
from email.utils import format_datetime

import msgspec

from common.web.html import Templates
from provider.dining.mail.content import MailContent
from provider.dining.mail.invitation import Method

templates = Templates("provider.dining")


class MailMessage(msgspec.Struct, frozen=True):
    """A whole message, as it stands in the outbox.

    sender, recipient: the bare addresses of the envelope. source: headers and body, in ASCII.
    """

    sender: str
    recipient: str
    source: str


def compose(content: MailContent, calendar: bytes | None = None, method: Method | None = None) -> EmailMessage:
    """Return the message. calendar: the file to attach, with its iTIP method.

    Python's email package parses every header and refuses line breaks; the guest's name is not in any header.
    """
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = content.sender
    message["To"] = content.recipient
    if content.reply_to is not None:
        message["Reply-To"] = content.reply_to
    message["Subject"] = content.subject
    message["Date"] = format_datetime(content.date)
    message["Message-ID"] = content.message_id
    message["Auto-Submitted"] = "auto-generated"
    text = templates.render("mail.txt", content=content)
    html = templates.render("mail.html", content=content)
    # 7bit where possible, so that links are not split in the source of the email.
    cte = "7bit" if (text + html).isascii() else "quoted-printable"
    message.set_content(text, cte=cte)
    message.add_alternative(html, subtype="html", cte=cte)
    if calendar is not None and method is not None:
        # As an alternative for programs that answer invitations, and as a file for all others.
        message.add_alternative(
            calendar, maintype="text", subtype="calendar", params={"method": method, "charset": "utf-8"}
        )
        message.add_attachment(calendar, maintype="application", subtype="ics", filename="reservation.ics")
    return message

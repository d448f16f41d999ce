"""The address by which limits tell callers apart."""

import pytest

from common.web.caller import limited_address


@pytest.mark.parametrize(
    ("address", "limited"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("::1", "::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("<local>", "<local>"),
    ],
)
def test_an_ipv6_caller_is_known_by_its_network_and_an_ipv4_caller_by_its_address(address: str, limited: str) -> None:
    assert limited_address(address) == limited

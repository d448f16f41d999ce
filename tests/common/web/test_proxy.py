"""Forwarded headers: believed from trusted proxies only, and never further than those proxies know."""

from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quart import Response, request

from common.config import ConfigError, read_config
from common.web import application, proxy
from common.web.proxy import TrustedProxies, forwarded_scope, parse_address, trusted_proxies
from common.web.responses import json_response
from provider.config import Config

PROXY, CLIENT, LIAR = "10.1.2.3", "203.0.113.7", "198.51.100.66"
TRUSTED = trusted_proxies("10.0.0.0/8, 2001:db8::/32")


def seen(
    peer: str | None, trusted: TrustedProxies = TRUSTED, kind: str = "http", /, **headers: str
) -> tuple[str, str, str]:
    """The address, scheme and host that the application sees. headers: X_Forwarded_For and so on."""
    given = [(name.replace("_", "-").lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    scope: dict[str, Any] = {
        "type": kind,
        "client": (peer, 4711) if peer is not None else None,
        "scheme": "http" if kind == "http" else "ws",
        "headers": [(b"host", b"internal:9000"), *given],
    }
    changed = forwarded_scope(scope, trusted)
    hosts = [value.decode() for name, value in changed["headers"] if name == b"host"]
    assert len(hosts) == 1
    return (changed["client"] or ("", 0))[0], changed["scheme"], hosts[0]


DIRECT = (PROXY, "http", "internal:9000")


def test_a_proxy_says_who_connected_to_it_and_how() -> None:
    forwarded = {"X_Forwarded_For": CLIENT, "X_Forwarded_Proto": "https", "X_Forwarded_Host": "stay.example.org"}
    assert seen(PROXY, **forwarded) == (CLIENT, "https", "stay.example.org")
    standard = f'for={CLIENT};proto=https;host="stay.example.org:8443"'
    assert seen(PROXY, Forwarded=standard) == (CLIENT, "https", "stay.example.org:8443")


def test_nobody_else_is_believed() -> None:
    forwarded = {"X_Forwarded_For": LIAR, "X_Forwarded_Proto": "https", "X_Forwarded_Host": "evil.example"}
    assert seen(CLIENT, **forwarded) == (CLIENT, "http", "internal:9000")
    assert seen(CLIENT, Forwarded=f"for={LIAR};proto=https;host=evil.example") == (CLIENT, "http", "internal:9000")
    assert seen("", **forwarded)[0] == ""
    assert seen(None, **forwarded)[0] == ""


@pytest.mark.parametrize(
    "chain",
    [
        f"{LIAR}, {CLIENT}",
        f"{LIAR}, 10.9.9.9, {CLIENT}",
        f"10.9.9.9,{CLIENT},10.4.4.4",
        f"nonsense,, {CLIENT} , 10.4.4.4",
    ],
)
def test_what_the_client_wrote_itself_is_not_believed(chain: str) -> None:
    assert seen(PROXY, X_Forwarded_For=chain)[0] == CLIENT
    standard = ", ".join(f"for={each.strip()}" for each in chain.split(",") if each.strip())
    assert seen(PROXY, Forwarded=standard)[0] == CLIENT


def test_a_chain_of_trusted_proxies_only_ends_at_the_first() -> None:
    assert seen(PROXY, X_Forwarded_For="10.7.7.7, 10.8.8.8")[0] == "10.7.7.7"


@pytest.mark.parametrize(
    "value", ["unknown", "_hidden", "", "1.2.3", "1.2.3.4.5", "::g", "localhost", "1.2.3.4, unknown"]
)
def test_an_entry_that_is_no_address_leaves_the_proxys_address(value: str) -> None:
    assert seen(PROXY, X_Forwarded_For=value) == DIRECT
    assert seen(PROXY, Forwarded=f"for={value}") == DIRECT


def test_a_trusted_proxy_behind_an_entry_that_is_no_address_counts() -> None:
    assert seen(PROXY, X_Forwarded_For="unknown, 10.8.8.8")[0] == "10.8.8.8"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1:8080 ", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("[::ffff:192.0.2.1]:80", "192.0.2.1"),
        ("192.0.2.1%eth0", None),
        ("192.0.2.256", None),
        ("[", None),
        ("", None),
    ],
)
def test_addresses_have_the_forms_that_proxies_write(text: str, address: str | None) -> None:
    assert parse_address(text) == (ip_address(address) if address else None)


def test_a_proxy_over_ipv6_is_recognised_in_either_form() -> None:
    assert seen("::ffff:10.1.2.3", X_Forwarded_For=CLIENT)[0] == CLIENT
    assert seen("2001:db8::5", Forwarded='For="[2001:db9::1]:9"')[0] == "2001:db9::1"


def test_headers_of_both_kinds_are_believed_only_as_far_as_they_agree() -> None:
    """A proxy sets one kind and passes the other on as the client sent it."""
    assert seen(PROXY, X_Forwarded_For=CLIENT, Forwarded=f"for={LIAR};proto=https;host=evil.example") == DIRECT
    assert seen(PROXY, X_Forwarded_For=LIAR, X_Forwarded_Host="evil.example", Forwarded=f"for={CLIENT}") == DIRECT
    agreeing = seen(PROXY, X_Forwarded_For=f"{LIAR}, {CLIENT}", Forwarded=f"for={CLIENT};proto=https")
    assert agreeing == (CLIENT, "https", "internal:9000")


@pytest.mark.parametrize(
    "opened",
    [
        f'for={LIAR};host=evil.example;proto=https;x="',
        f'for={LIAR};x=", for={LIAR};y="',
        'for="',
        f'for={LIAR}, "',
        f'for={LIAR};x="\\',
    ],
)
@pytest.mark.parametrize(
    "entry",
    [
        f"for={CLIENT}",
        f'for="{CLIENT}:4711"',
        f'for={CLIENT};host="stay.example.org:8443"',
        f'for="{CLIENT}:4711";proto="http"',
    ],
)
def test_a_quote_that_the_client_leaves_open_does_not_swallow_the_entry_of_the_proxy(opened: str, entry: str) -> None:
    for trusted in (TRUSTED, trusted_proxies("all")):
        address, scheme, host = seen(PROXY, trusted, Forwarded=f"{opened}, {entry}")
        assert address in (CLIENT, PROXY)
        assert scheme == "http"
        assert host in ("internal:9000", "stay.example.org:8443")


def test_a_line_that_is_not_valid_is_not_believed_and_ends_the_chain() -> None:
    lines = [(b"forwarded", f'for={LIAR};x="'.encode()), (b"forwarded", b"for=10.8.8.8")]
    scope: dict[str, Any] = {"type": "http", "client": (PROXY, 1), "scheme": "http", "headers": lines}
    assert forwarded_scope(scope, TRUSTED)["client"] == ("10.8.8.8", 0)
    scope["headers"] = [(b"forwarded", f"for={LIAR}".encode()), (b"forwarded", f'for="{CLIENT}'.encode())]
    assert forwarded_scope(scope, TRUSTED)["client"] == (PROXY, 1)


@pytest.mark.parametrize("entry", [f"for={CLIENT};for={LIAR}", f"for={CLIENT};FOR={LIAR}", f"for={CLIENT} for={LIAR}"])
def test_an_entry_with_two_addresses_is_not_believed(entry: str) -> None:
    assert seen(PROXY, Forwarded=entry) == DIRECT


def test_a_parameter_in_parts_is_not_the_address() -> None:
    assert seen(PROXY, Forwarded=f"for={CLIENT};for*0={LIAR};for*=utf-8''{LIAR}")[0] == CLIENT


@pytest.mark.parametrize("prefix", ['"', f'"{LIAR}', f'{LIAR}, "', '"\\'])
def test_a_quote_of_the_client_in_x_forwarded_for_hides_nobody(prefix: str) -> None:
    """The X- headers have no quoted texts."""
    chain = {"X_Forwarded_For": f"{prefix}, {CLIENT}", "X_Forwarded_Host": f"{prefix}, stay.example.org"}
    assert seen(PROXY, **chain) == (CLIENT, "http", "stay.example.org")


def test_all_believes_whoever_connects_but_only_its_own_entry() -> None:
    everyone = trusted_proxies("all")
    assert seen(CLIENT, everyone, X_Forwarded_For=f"{LIAR}, 203.0.113.9", X_Forwarded_Proto="https") == (
        "203.0.113.9",
        "https",
        "internal:9000",
    )
    assert seen(None, everyone, X_Forwarded_For="203.0.113.9")[0] == "203.0.113.9"
    assert seen(CLIENT, everyone)[0] == CLIENT


@pytest.mark.parametrize("value", ["", "ftp", "https://", "HTTPS ,", "javascript"])
def test_a_scheme_that_is_none_is_ignored(value: str) -> None:
    assert seen(PROXY, X_Forwarded_Proto=value)[1] in ("http", "https" if value.startswith("HTTPS") else "http")


def test_the_scheme_of_the_outermost_believed_proxy_counts() -> None:
    chain = f"{CLIENT}, 10.8.8.8"
    assert seen(PROXY, X_Forwarded_For=chain, X_Forwarded_Proto="https,http")[1] == "https"
    assert seen(PROXY, X_Forwarded_For=f"{LIAR}, {CLIENT}", X_Forwarded_Proto="https, http")[1] == "http"
    assert seen(PROXY, X_Forwarded_For=chain, X_Forwarded_Proto="https")[1] == "https"
    assert seen(PROXY, X_Forwarded_Proto="https") == (PROXY, "https", "internal:9000")
    assert seen(PROXY, TRUSTED, "websocket", X_Forwarded_Proto="https")[1] == "wss"


@pytest.mark.parametrize(
    "value", ["", "a b", "evil.example/path", "evil.example\r\nX: 1", "@", "a:b", "x" * 300, "<script>"]
)
def test_a_host_that_is_not_valid_is_ignored(value: str) -> None:
    assert seen(PROXY, X_Forwarded_Host=value)[2] == "internal:9000"


HEADERS = st.sampled_from(["X_Forwarded_For", "X_Forwarded_Proto", "X_Forwarded_Host", "Forwarded"])
PIECES = st.sampled_from(
    ["for=", "proto=", "host=", '"', ";", ",", " ", "[", "]", ":", CLIENT, PROXY, "https", "\\", "=", "a"]
)


@given(st.dictionaries(HEADERS, st.lists(PIECES, max_size=12).map("".join)))
def test_no_header_is_an_error(headers: dict[str, str]) -> None:
    address, scheme, _ = seen(PROXY, **headers)
    assert parse_address(address) is not None
    assert scheme in ("http", "https")


@given(st.lists(st.sampled_from([LIAR, "10.9.9.9", "unknown", "", "fe80::1"]), max_size=5))
def test_no_prefix_of_the_client_changes_its_address(prefix: list[str]) -> None:
    assert seen(PROXY, X_Forwarded_For=", ".join([*prefix, CLIENT, "10.8.8.8"]))[0] == CLIENT


@pytest.mark.parametrize("value", ["ALL", "10.0.0.0/33", "proxy.example.org", "10.0.0.1;10.0.0.2", "10.0.0.1,", "*"])
def test_a_setting_that_is_not_valid_stops_the_start(value: str) -> None:
    with pytest.raises(ConfigError, match="PROVIDER_TRUSTED_PROXIES must be all, or addresses"):
        read_config(Config, {"PROVIDER_TRUSTED_PROXIES": value})


def test_a_setting_may_name_addresses_and_networks() -> None:
    trusted = read_config(Config, {"PROVIDER_TRUSTED_PROXIES": "10.0.0.7, 192.168.1.1/24,::1"}).trusted_proxies
    assert trusted is not None
    for address, expected in (("10.0.0.7", True), ("10.0.0.8", False), ("192.168.1.9", True), ("::1", True)):
        assert (ip_address(address) in trusted) == expected
    assert read_config(Config, {}).trusted_proxies is None


@pytest.mark.parametrize(("setting", "address", "secure"), [(None, "<local>", False), ("all", CLIENT, True)])
async def test_every_route_sees_the_forwarded_address_scheme_and_host(
    setting: str | None, address: str, secure: bool
) -> None:
    app = application.create("ground", title="Ground", description="For tests", tags={})
    proxy.install(app, trusted_proxies(setting) if setting else None)

    @app.get("/me")
    async def me() -> Response:
        return json_response({"address": request.remote_addr, "secure": request.is_secure, "host": request.host})

    headers = {"X-Forwarded-For": CLIENT, "X-Forwarded-Proto": "https", "X-Forwarded-Host": "stay.example.org"}
    response = await app.test_client().get("/me", headers=headers)
    host = "stay.example.org" if secure else "localhost"
    assert await response.get_json() == {"address": address, "secure": secure, "host": host}
    assert ("Strict-Transport-Security" in response.headers) == secure


@pytest.mark.timeout(60)
@pytest.mark.parametrize("line", ["," + " " * 300_000 + "@", 'for="' + "\\a" * 150_000, "for=a" + " " * 300_000 + "@"])
def test_a_long_hostile_header_is_read_in_linear_time(line: str) -> None:
    """Quadratic time would exceed the time limit of this test by far."""
    assert proxy.hops_of([(b"forwarded", line.encode())]) == [proxy.Hop()]

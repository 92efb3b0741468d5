"""The address of a client: as it connects, or as a trusted proxy tells it."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request

from cato_backend.config import parse_config
from cato_backend.errors import ConfigError
from cato_backend.gateway.trusted_proxies import TrustedProxies

PROXY, INNER, CLIENT = "10.0.0.1", "10.0.0.2", "203.0.113.7"
TRUSTED = ("10.0.0.0/8", "2001:db8::1")


def address(remote: str, *forwarded: str, trusted: tuple[str, ...] = TRUSTED) -> str:
    headers = [("X-Forwarded-For", each) for each in forwarded]
    request = make_mocked_request("GET", "/", headers=headers)  # type: ignore[arg-type]
    return TrustedProxies(trusted).client_of(request.clone(remote=remote))


@pytest.mark.parametrize(
    ("remote", "forwarded", "expected"),
    [
        (PROXY, (CLIENT,), CLIENT),
        (PROXY, (f"{CLIENT}, {INNER}",), CLIENT),
        (PROXY, (CLIENT, INNER), CLIENT),
        ("2001:db8::1", ("2001:db8:5::9",), "2001:db8:5::9"),
        (f"::ffff:{PROXY}", (f"::ffff:{CLIENT}",), CLIENT),
        (PROXY, (INNER,), INNER),
        (PROXY, (), PROXY),
        (PROXY, (f"{CLIENT}:51234",), CLIENT),
        (PROXY, (f"{CLIENT}:1, {INNER}:2",), CLIENT),
        (PROXY, ("[2001:db8:5::9]:443",), "2001:db8:5::9"),
        (PROXY, ("[2001:db8:5::9]",), "2001:db8:5::9"),
    ],
)
def test_a_trusted_proxy_tells_the_client(
    remote: str, forwarded: tuple[str, ...], expected: str
) -> None:
    assert address(remote, *forwarded) == expected


def test_what_a_client_writes_itself_is_not_believed() -> None:
    assert address(CLIENT, "198.51.100.1") == CLIENT
    assert address(PROXY, f"198.51.100.1, {CLIENT}") == CLIENT
    assert address(PROXY, f"198.51.100.1, nonsense\r, {INNER}") == INNER
    assert address(PROXY, CLIENT, trusted=()) == PROXY
    for wrong in (f"{CLIENT}:", f"{CLIENT}:x", f"{CLIENT}:1:2", f"[{CLIENT}", "[::9]x", "[]", ":1"):
        assert address(PROXY, wrong) == PROXY


def test_a_network_that_is_mapped_to_ipv6_is_the_ipv4_one() -> None:
    for trusted in (f"::ffff:{PROXY}", "::ffff:10.0.0.0/104", "::ffff:0:0/96"):
        assert address(PROXY, CLIENT, trusted=(trusted,)) == CLIENT
    assert address("11.0.0.1", CLIENT, trusted=("::ffff:10.0.0.0/104",)) == "11.0.0.1"
    assert address(PROXY, CLIENT, trusted=("::/0",)) == PROXY


@pytest.mark.parametrize("wrong", ["proxy.example.com", "10.0.0.1/8", "10.0.0.0/40"])
def test_a_network_that_is_none_is_refused_by_name(wrong: str) -> None:
    with pytest.raises(ConfigError, match=r"server\.trusted_proxies\.0: .*IP address or a network"):
        parse_config({"server": {"trusted_proxies": [wrong]}})

"""Sign-in by a device code (RFC 8628) at the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

from cato_lsp.backend.client import BackendClient
from cato_lsp.backend.failures import BackendFailure, Refused, TimedOut

_PENDING, _SLOW_DOWN = "authorization_pending", "slow_down"
_LONGER_S = 5.0
"""By which the device waits longer each time it is told that it asks too often."""
_SHORTEST_S, _LONGEST_S = 1.0, 3600.0
"""Between two questions at least, and for a code at most, whatever the server says."""
_LONGEST_TOKEN_S = 100 * 365 * 86_400.0


class NoSignIn(BackendFailure):
    """The backend offers no sign-in."""


@dataclass(frozen=True, slots=True)
class DeviceSignIn:
    """A sign-in that waits for a person."""

    url: str
    """URL of the backend."""
    user_code: str
    page: str
    page_with_code: str
    expires_s: float
    interval_s: float
    token_path: str
    device_code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class GrantedToken:
    """The token that a person granted to this device."""

    person: str
    expires_s: float
    token: str = field(repr=False)


async def begin(client: BackendClient, name: str) -> DeviceSignIn:
    """Ask for a code. `name`: what the device calls itself.

    Raises NoSignIn, Unreachable, Refused.
    """
    url = client.target.url
    try:
        offered = _object(await client.ask("GET", "/v1/sign-in")).get("device")
    except Refused as refused:
        if refused.status not in (404, 405):
            raise
        offered = None
    if not isinstance(offered, Mapping):
        raise NoSignIn(f"{url} offers no sign-in: ask its administrator for a token")
    paths = cast("Mapping[str, Any]", offered)
    with _understood():
        codes = _object(await client.ask("POST", str(paths["code"]), {"client": name}))
        return DeviceSignIn(
            url=url,
            user_code=_shown(codes["user_code"]),
            page=_address(codes["verification_uri"]),
            page_with_code=_address(codes["verification_uri_complete"]),
            expires_s=min(_LONGEST_S, float(codes["expires_in"])),
            interval_s=max(_SHORTEST_S, float(codes["interval"])),
            token_path=str(paths["token"]),
            device_code=str(codes["device_code"]),
        )


async def finish(client: BackendClient, device: DeviceSignIn) -> GrantedToken:
    """Wait until a person confirms the code.

    Raises TimedOut where it is not confirmed in time, Refused, Unreachable.
    """
    interval_s = device.interval_s
    try:
        async with asyncio.timeout(device.expires_s):
            while True:
                await asyncio.sleep(interval_s)
                try:
                    return await _asked(client, device)
                except Refused as refused:
                    if refused.code == _SLOW_DOWN:
                        interval_s += _LONGER_S
                    elif refused.code != _PENDING:
                        raise
    except TimeoutError as error:
        raise TimedOut("the code was not confirmed in time: sign in again") from error


async def _asked(client: BackendClient, device: DeviceSignIn) -> GrantedToken:
    body = {"device_code": device.device_code}
    granted = _object(await client.ask("POST", device.token_path, body))
    with _understood():
        return GrantedToken(
            person=_shown(granted["person"]),
            expires_s=min(_LONGEST_TOKEN_S, float(granted["expires_in"])),
            token=str(granted["access_token"]),
        )


def _object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _misunderstood()
    return cast("Mapping[str, Any]", value)


def _address(value: object) -> str:
    """Return the address of a page; other kinds would start programs. Raises ValueError."""
    if urlsplit(str(value)).scheme not in ("http", "https"):
        raise ValueError("no address of a page")
    return _shown(value)


def _shown(value: object) -> str:
    """Return text that a terminal can show as it is. Raises ValueError for control characters."""
    if not str(value).isprintable():
        raise ValueError("text with control characters")
    return str(value)


@contextmanager
def _understood() -> Generator[None]:
    """Raise Refused for what lacks a field, or has something else in it."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise _misunderstood() from error


def _misunderstood() -> Refused:
    return Refused("the backend answers a sign-in in another way than CATO does", status=200)

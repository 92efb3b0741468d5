"""Whether the token is of any use, for `cato doctor`."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from urllib.parse import urlsplit

from cato_lsp.backend.client import BackendClient
from cato_lsp.backend.discovery import Origin, Target
from cato_lsp.backend.failures import BackendFailure
from cato_lsp.commands.findings import Finding, note, ok
from cato_lsp.settings.settings import BackendSettings

_UNSET = "unset CATO_BACKEND_TOKEN (or backend.token)"


async def check_token(target: Target, settings: BackendSettings) -> Finding | None:
    """What is to be said of the token with which the backend was asked; None where nothing is."""
    if target.origin is Origin.DISCOVERED:
        if not settings.token:
            return None
        text = "yours is not used: the backend that you run has a token of its own"
        return note("token", text, f"{_UNSET}, or name the backend that it is for in backend.url")
    if not target.token:
        return None
    if await _answers(replace(target, token=None)):
        return note("token", "the backend needs none, and yours is sent with each request", _UNSET)
    if _travels_openly(target.url):
        text = "accepted; it is sent unencrypted over the network"
        return note("token", text, "serve with TLS, and write https:// in backend.url")
    return ok("token", "accepted")


async def _answers(target: Target) -> bool:
    client = BackendClient(target)
    try:
        await client.model()
    except BackendFailure:
        return False
    finally:
        await client.close()
    return True


def _travels_openly(url: str) -> bool:
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        is_local = ip_address(host).is_loopback
    except ValueError:
        is_local = host == "localhost"
    return parts.scheme == "http" and not is_local

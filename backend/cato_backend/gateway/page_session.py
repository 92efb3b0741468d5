"""The cookie of a signed-in page, and its protection against other pages."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

from aiohttp import web

from cato_backend.config import Config
from cato_backend.errors import Forbidden
from cato_backend.wire.addresses import is_loopback

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_PORTS = MappingProxyType({"http": 80, "https": 443})
_ATTEMPT_S = 600
"""How long the browser may be with the provider."""


def base_url(request: web.BaseRequest, config: Config) -> str:
    """Return the URL of this server in the browser, without a slash at its end."""
    public = config.oidc.public_url.rstrip("/")
    return public or f"{request.scheme}://{request.headers.get('Host', '')}"


def authorization_of(request: web.BaseRequest, config: Config) -> str | None:
    """Return what a client authorizes itself with: its header, else the cookie of its page.

    Raises Forbidden for a cookie with which the page of another server would change something.
    """
    given = _in_headers(request.headers)
    if given or not config.oidc.issuer:
        return given
    secret = request.cookies.get(_name("session", config))
    if not secret:
        return None
    if request.method not in _SAFE:
        _check_origin(request, config)
    return f"Bearer {secret}"


def start_session(response: web.Response, secret: str, lasts_s: float, config: Config) -> None:
    """Have the browser keep a session."""
    _set(response, "session", secret, int(lasts_s), "Strict", config)


def end_session(response: web.StreamResponse, config: Config) -> None:
    """Have the browser forget the session."""
    _forget(response, "session", config)


def start_attempt(response: web.Response, attempt: str, config: Config) -> None:
    """Have the browser keep what its return from the provider is compared with."""
    # It returns by a link of the provider's page, with which a strict cookie would not be sent.
    _set(response, "sign-in", attempt, _ATTEMPT_S, "Lax", config)


def attempt_of(request: web.BaseRequest, config: Config) -> str:
    """Return the attempt that the browser kept; empty where it kept none."""
    return request.cookies.get(_name("sign-in", config), "")


def end_attempt(response: web.StreamResponse, config: Config) -> None:
    """Have the browser forget the attempt."""
    _forget(response, "sign-in", config)


def _in_headers(headers: Mapping[str, str]) -> str | None:
    """Return the header with a client's token. Anthropic's clients send a bare token."""
    key = headers.get("x-api-key")
    return headers.get("Authorization") or (f"Bearer {key}" if key else None)


def _check_origin(request: web.BaseRequest, config: Config) -> None:
    """Raise Forbidden unless the browser says that the request comes from this server's page."""
    own = _origin(base_url(request, config))
    if own is None or _origin(request.headers.get("Origin", "")) != own:
        raise Forbidden(
            "origin: with a session, changes are accepted only from this server's page; other"
            " clients send a token in Authorization"
        )


def _origin(url: str) -> tuple[str, str, int] | None:
    """Return scheme, host and port of a URL; None where one is missing."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname and port else None


def _set(
    response: web.Response, kind: str, value: str, max_age: int, same_site: str, config: Config
) -> None:
    response.set_cookie(
        _name(kind, config),
        value,
        max_age=max_age,
        path="/",
        httponly=True,
        secure=_is_secure(config),
        samesite=same_site,
    )


def _forget(response: web.StreamResponse, kind: str, config: Config) -> None:
    # A browser takes a cookie with this prefix only with these attributes, to forget it as well.
    response.del_cookie(
        _name(kind, config), path="/", secure=_is_secure(config), httponly=True, samesite="Lax"
    )


def _name(kind: str, config: Config) -> str:
    """Return the name; with its prefix no other host, and no plain HTTP, can set the cookie."""
    # Cookies of one host are the same on all of its ports.
    return f"__Host-cato-{kind}" if _is_secure(config) else f"cato-{kind}-{config.server.port}"


def _is_secure(config: Config) -> bool:
    """Return whether browsers reach the server by HTTPS alone."""
    server = config.server
    return bool(server.tls_cert) or not is_loopback(server.host) or config.oidc.public_url != ""

"""The page at `/`, sign-in on it by the provider, and sign-out."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from cato_backend.errors import NotFound, RequestError, SignInRefused
from cato_backend.gateway.page_session import (
    attempt_of,
    authorization_of,
    base_url,
    end_attempt,
    end_session,
    start_attempt,
    start_session,
)
from cato_backend.gateway.responses import error_response, json_response
from cato_backend.gateway.state import GATEWAY, REQUESTER, Gateway
from cato_backend.sign_in.admission import SignInAttempt

if TYPE_CHECKING:
    from cato_backend.sign_in.sign_in import SignIn

FOLDER = Path(__file__).parent / "web"

_START = "index.html"

_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

PATH = "/sign-in"

CALLBACK = "/sign-in/callback"

DEVICE_CODE = "/v1/device/code"

DEVICE_TOKEN = "/v1/device/token"

_HTML = "text/html"

_FAILED = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Sign-in failed – CATO</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/page/style.css"></head>
<body><main><section class="card narrow"><h1>Sign-in failed</h1><p>{message}</p>
<p><a href="/">Back</a></p></section></main></body></html>
"""


HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class PageFiles:
    """The files, read once."""

    def __init__(self, folder: Path = FOLDER) -> None:
        found = (path for path in folder.iterdir() if path.suffix in _TYPES)
        self._contents = {path.name: path.read_bytes() for path in found}

    def response(self, name: str) -> web.Response:
        """Return a file. Raises NotFound."""
        content = self._contents.get(name)
        if content is None:
            raise NotFound(f"no such path: /page/{name}")
        kind = _TYPES[Path(name).suffix]
        return web.Response(body=content, content_type=kind, charset="utf-8", headers=HEADERS)


PAGE = web.AppKey("page", PageFiles)


async def start(request: web.Request) -> web.StreamResponse:
    """`GET /`: the page, for a client that takes `text/html`."""
    if "text/html" in request.headers.get("Accept", ""):
        return request.app[PAGE].response(_START)
    gateway = request.app[GATEWAY]
    gateway.credentials.check(authorization_of(request, gateway.config))
    raise NotFound(f"no such path: {request.path}")


async def part(request: web.Request) -> web.StreamResponse:
    """`GET /page/{name}`: a style sheet, a script or a picture of the page."""
    return request.app[PAGE].response(request.match_info["name"])


def sign_in_of(gateway: Gateway) -> SignIn:
    """Return how people sign in. Raises NotFound where sign-in is off."""
    if gateway.sign_in is None:
        raise NotFound("this server has no sign-in (oidc.issuer is not set); use a token")
    return gateway.sign_in


def count_in(request: web.Request, gateway: Gateway, *, is_device: bool = False) -> None:
    """Count a request that needs no token, by its address. Raises TooManySignIns."""
    client = gateway.proxies.client_of(request)
    gateway.sign_in_caps.check(client, gateway.runtime.clock(), is_device=is_device)


async def methods(request: web.Request) -> web.StreamResponse:
    """`GET /v1/sign-in`: how to sign in to this server; null: not in this way."""
    gateway = request.app[GATEWAY]
    count_in(request, gateway)
    if gateway.sign_in is None:
        return json_response({"page": None, "device": None})
    device = {"code": DEVICE_CODE, "token": DEVICE_TOKEN}
    page = {"path": PATH, "issuer": gateway.sign_in.config.issuer}
    return json_response({"page": page, "device": device})


async def begin(request: web.Request) -> web.StreamResponse:
    """`GET /sign-in`: send the browser to the provider."""
    gateway = request.app[GATEWAY]
    try:
        sign_in, attempt = sign_in_of(gateway), SignInAttempt.begin()
        count_in(request, gateway)
        to = await sign_in.provider.authorization_url(attempt, _callback(request, gateway))
    except RequestError as error:
        return _failed(request, error)
    response = web.Response(status=303, headers={**HEADERS, "Location": to})
    start_attempt(response, attempt.cookie(), gateway.config)
    return response


async def finish(request: web.Request) -> web.StreamResponse:
    """`GET /sign-in/callback`: take the browser back from the provider, as a person."""
    gateway = request.app[GATEWAY]
    try:
        response = await _welcomed(request, gateway)
    except RequestError as error:
        response = _failed(request, error)
    end_attempt(response, gateway.config)
    return response


async def sign_out(request: web.Request) -> web.StreamResponse:
    """`POST /v1/sign-out`: end the session of the page: its token is revoked."""
    gateway, who = request.app[GATEWAY], request[REQUESTER]
    sign_in = sign_in_of(gateway)
    if who.person is not None:
        await sign_in.end(who.token_id, who.person)
    response = web.Response(status=204)
    end_session(response, gateway.config)
    return response


async def _welcomed(request: web.Request, gateway: Gateway) -> web.Response:
    sign_in, given = sign_in_of(gateway), request.query
    count_in(request, gateway)
    attempt = SignInAttempt.of_cookie(attempt_of(request, gateway.config), given.get("state", ""))
    if "code" not in given:
        reason = given.get("error_description") or given.get("error") or "it gave no code"
        raise SignInRefused(f"sign-in: the provider refused it: {reason:.200}", param="error")
    session = await sign_in.session(given["code"], attempt, _callback(request, gateway))
    response = web.Response(status=303, headers={**HEADERS, "Location": "/"})
    start_session(response, session.secret, sign_in.config.session_s, gateway.config)
    return response


def _callback(request: web.Request, gateway: Gateway) -> str:
    return base_url(request, gateway.config) + CALLBACK


def _failed(request: web.Request, error: RequestError) -> web.Response:
    """Return the error as a page for browsers, as JSON for others."""
    response = error_response(error)
    if _HTML in request.headers.get("Accept", ""):
        response.text = _FAILED.format(message=html.escape(error.message))
        response.content_type = _HTML
        response.headers.update(HEADERS)
    return response

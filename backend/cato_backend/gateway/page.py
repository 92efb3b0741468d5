"""The page at `/`: its files as they are. They hold no data, and need no token."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from cato_backend.errors import NotFound
from cato_backend.gateway.page_session import authorization_of
from cato_backend.gateway.state import GATEWAY

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

"""The aiohttp application."""

from __future__ import annotations

import orjson
from aiohttp import web

from cato_backend.gateway.openapi import document
from cato_backend.gateway.routes import ROUTES
from cato_backend.gateway.state import DOCUMENT, GATEWAY, Gateway


def make_app(gateway: Gateway) -> web.Application:
    """The routes; `Guard` stands in front of them."""
    app = web.Application()
    app[GATEWAY] = gateway
    app[DOCUMENT] = orjson.dumps(document(ROUTES, needs_token=bool(gateway.credentials.tokens)))
    for route in ROUTES:
        add = app.router.add_get if route.method == "GET" else app.router.add_post
        add(route.path, route.handler)
    return app

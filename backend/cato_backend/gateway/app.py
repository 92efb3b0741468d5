"""The aiohttp application: the routes."""

from __future__ import annotations

from aiohttp import web

from cato_backend.gateway import calls, control, feedback, tasks, warm
from cato_backend.gateway.state import GATEWAY, Gateway
from cato_backend.wire.feedback import FEEDBACK_PATH
from cato_backend.wire.warm import WARM_PATH


def make_app(gateway: Gateway) -> web.Application:
    """The routes; `Guard` stands in front of them."""
    app = web.Application()
    app[GATEWAY] = gateway
    app.add_routes(
        [
            web.post("/v1/completions", calls.completions),
            web.post("/v1/chat/completions", calls.chat_completions),
            web.post("/v1/tasks", tasks.tasks),
            web.post(WARM_PATH, warm.warm),
            web.post(FEEDBACK_PATH, feedback.give),
            web.get(FEEDBACK_PATH, feedback.export),
            web.post("/v1/requests/{id}/cancel", control.cancel),
            web.get("/v1/models", control.models),
            web.get("/v1/models/{name:.+}", control.model),
            web.get("/health", control.health),
            web.get("/metrics", control.metrics),
        ]
    )
    return app

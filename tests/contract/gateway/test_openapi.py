"""The OpenAPI document, and the server's behaviour against it."""

from __future__ import annotations

import pytest

from cato_backend.gateway.routes import ROUTES
from tests.contract.gateway.described import tried_out
from tests.contract.gateway.site import Site

pytestmark = pytest.mark.asyncio(loop_scope="package")

OPEN = (
    *("/", "/page/{name}", "/health", "/identity", "/openapi.json"),
    *("/v1/sign-in", "/sign-in", "/sign-in/callback", "/v1/device/code", "/v1/device/token"),
)
"""What takes no token."""
EXAMPLES = 25
"""For each operation: some 300 requests in all."""


async def test_the_document_describes_every_route(narrow: Site) -> None:
    answer = await narrow.call("GET", "/openapi.json", headers={"authorization": ""})
    assert answer.status == 200
    document = answer.json
    assert document["openapi"].startswith("3.1")
    described = {
        (method.upper(), path) for path, item in document["paths"].items() for method in item
    }
    assert described == {(route.method, route.path.replace(":.+", "")) for route in ROUTES}
    for path, item in document["paths"].items():
        for operation in item.values():
            assert bool(operation["security"]) == (path not in OPEN)
            assert operation["summary"].startswith("`")
    completion = document["components"]["schemas"]["CompletionBody"]["properties"]
    assert completion["n"]["anyOf"][0] == {"maximum": 128, "minimum": 1, "type": "integer"}


async def test_the_server_keeps_to_its_document(single: Site) -> None:
    statuses = await tried_out(single.url, EXAMPLES)
    assert statuses[200] >= 5
    assert statuses[400] >= 50
    assert "Traceback" not in single.serve.said

"""A provider that many ask at the same time."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from cato_backend.clock import monotonic
from cato_backend.config import OidcConfig
from cato_backend.errors import ProviderUnavailable
from cato_backend.sign_in.id_tokens import WELL_KNOWN, Endpoints
from cato_backend.sign_in.provider import Provider


async def test_who_waits_for_a_provider_that_is_away_waits_once() -> None:
    asked, fails = 0, asyncio.Event()

    async def document(_: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        await fails.wait()
        return web.Response(status=503)

    app = web.Application()
    app.router.add_get(WELL_KNOWN, document)
    async with TestServer(app, host="127.0.0.1") as server:
        config = OidcConfig(
            issuer=str(server.make_url("")), client_id="cato", allowed_domains=("*",)
        )
        provider = Provider(config, "", monotonic)
        waiting: list[asyncio.Task[Endpoints]] = []
        for _ in range(5):
            waiting.append(asyncio.create_task(provider.endpoints()))
            await asyncio.sleep(0)  # It waits, for the provider or for the one who asks it.
        fails.set()
        told = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(each, ProviderUnavailable) for each in told)
        assert asked == 1
        # Who comes later is not told what was so before.
        with pytest.raises(ProviderUnavailable):
            await provider.endpoints()
        assert asked == 2
        await provider.close()

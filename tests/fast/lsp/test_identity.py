"""Who takes over the address of an announced backend is sent neither code nor token."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from cato_backend.wire.discovery import (
    IDENTITY_PATH,
    Announcement,
    announce,
    new_secret,
    proof,
    start_time,
    withdraw,
)
from cato_lsp.backend.client import BackendClient
from cato_lsp.backend.discovery import Origin, Target
from cato_lsp.backend.failures import Unreachable

Prove = Callable[[Announcement, str], str]
MODELS = {"data": [{"id": "cato", "cato": {}}]}


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATO_STATE_DIR", str(tmp_path))


class Listening:
    """A server that answers challenges as it is told to, and records all that it is sent."""

    def __init__(self, prove: Prove) -> None:
        self.asked: list[web.BaseRequest] = []
        self._prove = prove
        self.announcement: Announcement | None = None

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append(request)
        if request.path != IDENTITY_PATH:
            return web.json_response(MODELS)
        assert self.announcement is not None
        return web.json_response({"proof": self._prove(self.announcement, request.query["nonce"])})

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.asked]


@asynccontextmanager
async def announced(prove: Prove) -> AsyncGenerator[tuple[Listening, BackendClient]]:
    """A server at an announced address, and the client that believes the announcement."""
    listening = Listening(prove)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", listening.answer)
    async with TestServer(app) as server:
        pid = os.getpid()
        listening.announcement = Announcement(
            str(server.make_url("")).rstrip("/"),
            "the-token",
            pid,
            "1",
            new_secret(),
            start_time(pid),
        )
        announce(listening.announcement)
        known = listening.announcement
        client = BackendClient(Target(known.url, known.token, Origin.DISCOVERED, known))
        try:
            yield listening, client
        finally:
            await client.close()


def honest(known: Announcement, nonce: str) -> str:
    return proof(known.secret, known.url, nonce)


async def test_the_announced_process_proves_itself_once() -> None:
    async with announced(honest) as (listening, client):
        await client.model()
        await client.model()
    assert listening.paths == [IDENTITY_PATH, "/v1/models", "/v1/models"]
    first, second, _ = (request.headers.get("authorization") for request in listening.asked)
    assert (first, second) == (None, "Bearer the-token")


@pytest.mark.parametrize(
    "prove",
    [
        lambda known, nonce: "",
        lambda known, nonce: nonce,
        lambda known, nonce: proof(new_secret(), known.url, nonce),
        # The proof of the same process for another address: an answer that was passed on.
        lambda known, nonce: proof(known.secret, "http://127.0.0.1:1", nonce),
        lambda known, nonce: proof(known.secret, known.url, "0" * 32),
    ],
)
async def test_another_process_is_sent_the_challenge_alone(prove: Prove) -> None:
    async with announced(prove) as (listening, client):
        for _ in range(2):
            with pytest.raises(Unreachable, match="another process listens there"):
                await client.model()
        assert await client.post("/v1/feedback", {"code": "x = 1"}, {}) == 0
    assert set(listening.paths) == {IDENTITY_PATH}
    assert all("authorization" not in request.headers for request in listening.asked)


async def test_nothing_is_sent_once_the_announcement_is_withdrawn() -> None:
    async with announced(honest) as (listening, client):
        await client.model()
        withdraw(os.getpid())
        with pytest.raises(Unreachable, match="has ended"):
            await client.model()
    assert listening.paths == [IDENTITY_PATH, "/v1/models"]


async def test_nothing_is_sent_once_another_process_is_announced() -> None:
    async with announced(honest) as (listening, client):
        await client.model()
        assert listening.announcement is not None
        announce(replace(listening.announcement, secret=new_secret()))
        with pytest.raises(Unreachable, match="has ended"):
            await client.model()
    assert listening.paths == [IDENTITY_PATH, "/v1/models"]

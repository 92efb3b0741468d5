"""Sends requests only to the process that the discovery file announces.

Another process that listens at the address once that one has ended gets neither code nor token.
"""

from __future__ import annotations

import asyncio
import json
from typing import cast

import aiohttp

from cato_backend.wire.challenge import IDENTITY_PATH, is_proof, new_nonce
from cato_backend.wire.discovery import Announcement, UntrustedAnnouncement, discover

CHALLENGE_S = 5.0
_LONGEST_ANSWER = 4096


class NotAnnounced(aiohttp.ClientError):
    """The process that listens at the address is not the announced one."""


class AnnouncedOnly:
    """Middleware of an aiohttp client whose requests all go to the announced address.

    The process proves itself once. A process that listens there keeps the address until it ends or
    withdraws its announcement, and both are looked for before each request.
    """

    def __init__(self, announcement: Announcement) -> None:
        self._announcement = announcement
        self._proving = asyncio.Lock()
        self._is_proven = False

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Send a request. Raises NotAnnounced, and what the challenge or the request raises."""
        async with self._proving:
            if not self._is_proven:
                await _challenge(self._announcement)
                self._is_proven = True
        # After the challenge: the process may have ended while it was under way.
        self._check_announced()
        return await handler(request)

    def _check_announced(self) -> None:
        try:
            found = discover()
        except UntrustedAnnouncement as error:
            raise NotAnnounced(str(error)) from error
        if found is None or found.process != self._announcement.process:
            raise NotAnnounced("the backend that was announced there has ended")


async def _challenge(announcement: Announcement) -> None:
    """Raise NotAnnounced unless the server at the address knows the announcement's secret."""
    url, nonce = announcement.url.rstrip("/"), new_nonce()
    timeout = aiohttp.ClientTimeout(total=CHALLENGE_S)
    async with (
        aiohttp.ClientSession(timeout=timeout) as http,
        http.get(url + IDENTITY_PATH, params={"nonce": nonce}, allow_redirects=False) as response,
    ):
        answer = await _answer(response)
    if not is_proof(answer, announcement.secret, url, nonce):
        raise NotAnnounced("another process listens there than the one that was announced")


async def _answer(response: aiohttp.ClientResponse) -> str:
    """Return the proof that a response holds; "" where it holds none."""
    try:
        value: object = json.loads(await response.content.read(_LONGEST_ANSWER))
    except ValueError:
        return ""
    proof = cast("dict[str, object]", value).get("proof") if isinstance(value, dict) else None
    return proof if isinstance(proof, str) else ""

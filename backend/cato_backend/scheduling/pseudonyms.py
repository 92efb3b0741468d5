"""Pseudonyms of what an event log must not tell: tokens, sessions, documents, text."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from hashlib import blake2b

from cato_backend.requests import Origin
from cato_backend.scheduling.events import Event, Submitted

_BYTES = 8
_REMEMBERED = 65_536


class Pseudonyms:
    """Keyed hashes: equal stays equal, so that a replay decides alike, and nothing can be guessed.

    The hash of a prompt's block would tell a reader of the log whether a known text was in it.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._block = lru_cache(_REMEMBERED)(self._hash)

    def of(self, event: Event) -> Event:
        """Return the same event about a request that nobody knows."""
        if not isinstance(event, Submitted):
            return event
        request = event.request
        origin = request.origin
        return Submitted(
            replace(
                request,
                origin=Origin(
                    self._name(origin.tenant),
                    self._name(origin.session),
                    self._name(origin.document),
                    self._name(origin.team),
                ),
                workflow=None if request.workflow is None else self._name(request.workflow),
                prompt_blocks=tuple(self._block(block) for block in request.prompt_blocks),
            )
        )

    def _name(self, name: str) -> str:
        if not name:
            return ""
        data = name.encode(errors="surrogateescape")
        return blake2b(data, key=self._key, digest_size=_BYTES).hexdigest()

    def _hash(self, block: int) -> int:
        data = block.to_bytes(_BYTES)
        return int.from_bytes(blake2b(data, key=self._key, digest_size=_BYTES).digest())

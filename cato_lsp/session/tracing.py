"""Tracing of completions, switched by the settings."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cato_lsp.tracing.spans import KeySpans

log = logging.getLogger(__name__)

_MISSING = (
    "tracing.enabled: the packages of OpenTelemetry are missing where cato-lsp is installed; "
    "install cato-lsp with the extra [otel], or switch the setting off"
)


class Tracing:
    """Follows the setting; `spans` is None while nothing is traced."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        self.spans: KeySpans | None = None
        self._warn = warn
        self._wanted = False

    async def follow(self, *, wanted: bool) -> None:
        """Begin or end to trace. The import takes a while, and so it runs in a thread."""
        self._wanted = wanted
        if not wanted:
            await self.close()
        elif self.spans is None:
            await self._begin()

    async def close(self) -> None:
        """Send what there is."""
        spans, self.spans = self.spans, None
        if spans is not None:
            await asyncio.to_thread(spans.close)

    async def _begin(self) -> None:
        try:
            made = await asyncio.to_thread(_make)
        except ModuleNotFoundError:
            self._warn(_MISSING)
            return
        if self._wanted and self.spans is None:
            self.spans = made
            log.info("completions are traced")
        else:
            await asyncio.to_thread(made.close)


def _make() -> KeySpans:
    from cato_lsp.tracing.spans import KeySpans

    return KeySpans()

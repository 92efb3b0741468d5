"""Clients that ask the gateway themselves: a naive one, and models of three published plugins.

They are told apart by published settings and documented behaviour, reimplemented here; none of
their post-processing is, but that an answer ends with its line where they ask for one line.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from bench.typing.screen import Screen
from bench.typing.scripts import Script


@dataclass(frozen=True, slots=True)
class Plugin:
    """How a client asks. Lengths in characters."""

    name: str
    debounce_s: Callable[[Typing], float]
    before: int
    after: int
    max_tokens: int
    one_line: bool = True
    caches: int = 0
    """Answers that are kept, and found again while they are typed."""
    cache_first: bool = True
    """Whether the cache is asked before the debounce."""
    cancels: bool = True
    keeps_stream: bool = False
    """Whether a stream that is typed along with is kept."""
    shows_after_s: float | None = None
    """Shows what there is after so long."""


@dataclass(slots=True)
class Typing:
    """What a debounce may look at."""

    gaps_s: deque[float]
    line_rest: str
    last_character: str
    answer_s: float


def fixed(seconds: float) -> Callable[[Typing], float]:
    """Always the same."""
    return lambda _typing: seconds


def tabby(typing: Typing) -> float:
    """The mean gap of the last 20 to 100 keys (100 to 400 ms) times 1.5 to 3, by how likely the
    place wants a completion, less the time an answer takes; 100 ms to 1 s."""
    gaps = typing.gaps_s
    base = sum(gaps) / len(gaps) if len(gaps) >= 20 else 0.2
    score = 0.5 * (typing.last_character in " \t\n.([{,:=") + 0.4 * (not typing.line_rest.strip())
    rate = 3.0 - 1.5 * score
    return min(max(min(max(base, 0.1), 0.4) * rate - typing.answer_s, 0.1), 1.0)


PLUGINS = {
    "naive75": Plugin("naive, 75 ms", fixed(0.075), 1875, 625, 64),
    "naive150": Plugin("naive, 150 ms", fixed(0.15), 1875, 625, 64),
    "naive350": Plugin("naive, 350 ms", fixed(0.35), 1875, 625, 64),
    "tabby": Plugin(
        "Tabby's settings", tabby, 3000, 1000, 64, caches=100, cache_first=False
    ),
    "continue": Plugin(
        "Continue's settings", fixed(0.35), 1000, 700, 256, one_line=False,
        caches=1000, cache_first=False, keeps_stream=True, shows_after_s=0.3,
    ),
    "llama": Plugin(
        "llama.vscode's settings", fixed(0.0), 256 * 40, 64 * 40, 128, one_line=False,
        caches=250, cancels=False, shows_after_s=0.5,
    ),
}  # fmt: skip


class PlainClient:
    """One developer's plugin."""

    def __init__(
        self, plugin: Plugin, script: Script, screen: Screen, url: str, http: aiohttp.ClientSession
    ) -> None:
        self._plugin, self._screen, self._url, self._http = plugin, screen, url, http
        self._text = script.before + script.after
        self._cache: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._typing = Typing(deque(maxlen=100), "", "", 0.2)
        self._last_key_s = 0.0
        self._work: asyncio.Task[None] | None = None
        self._running: set[asyncio.Task[None]] = set()
        self._streaming: tuple[int, list[str]] | None = None

    async def start(self, _host: str, _port: int) -> None:
        """Nothing has to be started."""

    def key(self, text: str, offset: int) -> None:
        """`text` was typed at `offset`."""
        self._text = self._text[:offset] + text + self._text[offset:]
        now_s = time.perf_counter()
        self._typing.gaps_s.append(now_s - self._last_key_s)
        self._last_key_s, here = now_s, offset + len(text)
        self._typing.last_character = text[-1]
        self._typing.line_rest = self._text[here:].partition("\n")[0]
        if self._plugin.keeps_stream and self._typed_along(here):
            return
        busy = self._work is not None and not self._work.done()
        if busy and not self._plugin.cancels:
            # One request at a time: the key after its answer asks again.
            self._show_known(here)
            return
        if busy and self._work is not None:
            self._work.cancel()
        self._work = asyncio.create_task(self._complete(here))
        self._running.add(self._work)
        self._work.add_done_callback(self._running.discard)

    def accept(self, text: str, offset: int) -> None:
        """The suggestion on the screen was accepted."""
        self.key(text, offset)

    async def stop(self) -> None:
        """Ends what is under way."""
        for task in tuple(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _complete(self, offset: int) -> None:
        if self._plugin.cache_first and self._show_known(offset):
            return
        await asyncio.sleep(self._plugin.debounce_s(self._typing))
        if not self._plugin.cache_first and self._show_known(offset):
            return
        started_s = time.perf_counter()
        text = await self._ask(offset)
        self._typing.answer_s += 0.2 * (time.perf_counter() - started_s - self._typing.answer_s)
        here = self._screen.offset
        if text.startswith(self._text[offset:here]):
            self._screen.show(text[here - offset :], here)
        if self._plugin.caches:
            self._cache[self._key(offset)] = text
            if len(self._cache) > self._plugin.caches:
                self._cache.popitem(last=False)

    def _key(self, offset: int) -> tuple[str, str]:
        return self._text[max(offset - 400, 0) : offset], self._text[offset : offset + 200]

    def _show_known(self, offset: int) -> bool:
        if not self._plugin.caches:
            return False
        for typed in range(min(64, offset)):
            said = self._text[offset - typed : offset]
            start = offset - typed
            key = (self._text[max(start - 400, 0) : start], self._text[offset : offset + 200])
            text = self._cache.get(key)
            if text is not None and text.startswith(said) and text[len(said) :].strip():
                self._screen.show(text[len(said) :], offset)
                return True
        return False

    def _typed_along(self, offset: int) -> bool:
        if self._streaming is None or self._work is None or self._work.done():
            return False
        start, pieces = self._streaming
        text, typed = "".join(pieces), self._text[start:offset]
        return text.startswith(typed) or typed.startswith(text)

    async def _ask(self, offset: int) -> str:
        plugin = self._plugin
        body: dict[str, Any] = {
            "model": "cato",
            "prompt": self._text[max(offset - plugin.before, 0) : offset],
            "suffix": self._text[offset : offset + plugin.after],
            "max_tokens": plugin.max_tokens,
            "temperature": 0,
            "stream": True,
        }
        if plugin.one_line:
            body["stop"] = ["\n"]
        pieces: list[str] = []
        self._streaming = offset, pieces
        try:
            async with asyncio.timeout(plugin.shows_after_s or 10):
                await self._stream(body, pieces)
        except TimeoutError:
            return "".join(pieces).rpartition("\n")[0] or "".join(pieces)
        finally:
            self._streaming = None
        return "".join(pieces)

    async def _stream(self, body: dict[str, Any], pieces: list[str]) -> None:
        async with self._http.post(f"{self._url}/v1/completions", json=body) as response:
            async for line in response.content:
                if line.startswith(b"data: {"):
                    choices = json.loads(line[6:]).get("choices") or [{}]
                    pieces.append(choices[0].get("text") or "")

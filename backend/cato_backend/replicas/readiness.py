"""Waits until a started replica answers, and reports what its log says meanwhile."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from cato_backend.errors import EngineError, ReplicaUnavailable
from cato_backend.replicas.probe import check_health, describe
from cato_backend.replicas.replica import Replica

LAST_LINES = 12

_TAIL_BYTES = 64 * 1024

_STAGES = (
    (re.compile(r"Resolved architecture: (\S+)"), "model architecture {0}"),
    (re.compile(r"Initializing a V1 LLM engine"), "engine process started"),
    (re.compile(r"Starting to load model"), "loading the weights"),
    (re.compile(r"Loading weights took ([\d.]+) seconds"), "weights loaded in {0} s"),
    (re.compile(r"KV cache size: ([\d,]+) tokens"), "KV cache for {0} tokens"),
    (re.compile(r"Starting vLLM server"), "opening the server"),
)

_DULL = re.compile(r"^\s*$|warnings\.warn|UserWarning|FutureWarning")

_PREFIX = re.compile(r"^\(\w+ pid=\d+\) (?:[A-Z]+ [\d-]+ [\d:]+ \[[^\]]*\] )?")

_CAUSES = (
    (
        r"couldn't connect to 'https?://|LocalEntryNotFoundError|name resolution|"
        r"Max retries exceeded with url|OfflineModeIsEnabled",
        "the model hub cannot be reached: give the model's folder in place of its name, set "
        "HF_ENDPOINT to a mirror, or check the network",
    ),
    (
        r"GatedRepoError|gated repo|401 Client Error|403 Client Error",
        "the model hub refuses the model: accept its licence there, and set HF_TOKEN",
    ),
    (
        r"RepositoryNotFoundError|is not a valid model identifier|404 Client Error",
        "the model hub has no model of this name",
    ),
    (r"No space left on device", "the disk is full"),
    (
        r"OutOfMemoryError|CUDA out of memory|No available memory for the cache blocks",
        "the memory is too small: serve a smaller model, or a shorter context (max_model_len)",
    ),
)

POLL_S = 0.2


class LoadReader:
    """Follows one log file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self._half = b""

    def news(self) -> list[str]:
        """Return what the log has said since the last call that a person wants to know."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._read)
                data = file.read()
        except FileNotFoundError:
            return []
        self._read += len(data)
        *lines, self._half = (self._half + data).split(b"\n")
        return [stage for line in lines if (stage := _stage(line.decode(errors="replace")))]

    def last_lines(self) -> str:
        """Return the log's last telling lines, indented."""
        try:
            data = self._path.read_bytes()[-_TAIL_BYTES:]
        except FileNotFoundError:
            return "  (no log)"
        lines = [_PREFIX.sub("", line) for line in data.decode(errors="replace").splitlines()]
        telling = [line.rstrip() for line in lines if not _DULL.search(line)]
        return "\n".join(f"  {line}" for line in telling[-LAST_LINES:]) or "  (nothing)"


def _stage(line: str) -> str | None:
    for pattern, text in _STAGES:
        if found := pattern.search(line):
            return text.format(*found.groups())
    return None


def cause_of(log_end: str) -> str:
    """Return the cause that the last lines of an engine's log tell.

    Empty where it is not a known one.
    """
    return next((cause for words, cause in _CAUSES if re.search(words, log_end)), "")


OnNote = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class StartedEngine:
    """An engine that loads its model."""

    replica_id: str
    model: str
    url: str
    api_key: str = field(repr=False)
    log: Path
    start_timeout_s: float


class Readiness:
    """Waits for one life; `ended` is done once its engine is dead, `why` says then how it ended."""

    def __init__(
        self,
        engine: StartedEngine,
        session: aiohttp.ClientSession,
        on_note: OnNote,
        ended: asyncio.Future[bytes],
        why: Callable[[], str],
    ) -> None:
        self._engine = engine
        self._session = session
        self._log = LoadReader(engine.log)
        self._on_note = on_note
        self._ended = ended
        self._why = why

    async def wait(self) -> Replica:
        """Return the replica once it is healthy and described.

        Raises EngineError with the log's last lines when the engine dies, or takes too long.
        """
        engine = self._engine
        try:
            async with asyncio.timeout(engine.start_timeout_s):
                return await self._wait_healthy()
        except TimeoutError:
            raise EngineError(
                f"{engine.replica_id} was not ready after {engine.start_timeout_s:.0f} s; "
                f"its log {engine.log} ends with:\n{self._log.last_lines()}"
            ) from None

    async def _wait_healthy(self) -> Replica:
        while True:
            try:
                return await self._described()
            except ReplicaUnavailable:
                for note in self._log.news():
                    self._on_note(note)
                await self._poll_dead()

    async def _described(self) -> Replica:
        """Raise ReplicaUnavailable while it loads."""
        engine = self._engine
        await check_health(self._session, engine.url)
        return await describe(
            self._session, engine.replica_id, engine.url, model=engine.model, api_key=engine.api_key
        )

    async def _poll_dead(self) -> None:
        """Wait a little, and raise EngineError if the engine ends meanwhile."""
        done, _ = await asyncio.wait([self._ended], timeout=POLL_S)
        if done:
            why, end = self._why(), self._log.last_lines()
            cause = cause_of(end)
            raise EngineError(
                f"{self._engine.replica_id} died while it loaded ({why})"
                f"{f': {cause}' if cause else ''}; its log {self._engine.log} ends with:\n{end}"
            )


def exit_status(status: int) -> str:
    """Return a shell's status in words."""
    return f"signal {status - 128}" if status > 128 else f"exit status {status}"

"""The server's log as text or JSON, a rate-limited logger, and the newest lines for the page."""

from __future__ import annotations

import logging
import re
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

import orjson

from cato_backend.clock import Clock, monotonic

FRONT_LOG = logging.getLogger("cato_backend.front")
"""Of a front process: what it says of itself."""
NEWS = logging.getLogger("cato_backend.news")
"""What the person who runs the server is told."""
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
FIELDS = ("request_id", "replica", "task", "model", "team", "code", "client", "suppressed")
"""What a line may tell beside its message: keys of `extra`, and of a JSON object."""

_MOST = 200

_LONGEST = 500
"""Characters of a line that are kept: a replica's own words may be in it."""


class NewsWarning(str):
    """A line of news that tells what goes wrong: it is logged as a warning.

    All other news are logged as information.
    """

    __slots__ = ()


def tell_news(text: str) -> None:
    """Tell the person who runs the server a line."""
    NEWS.log(logging.WARNING if isinstance(text, NewsWarning) else logging.INFO, "%s", text)


class LogFormat(StrEnum):
    """Formats of log lines."""

    TEXT = "text"
    JSON = "json"


class TextFormatter(logging.Formatter):
    """Formats news with the seconds since the start, everything else with its level.

    A message may hold words of replicas and clients: only its first line begins like one, and no
    character of it controls a terminal.
    """

    def __init__(self, began: float, clock: Clock = monotonic, process: str = "") -> None:
        super().__init__()
        self._process = f"{process}: " if process else ""
        self._began = began
        self._clock = clock

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, and the trace of an exception below it."""
        if record.name == NEWS.name:
            return f"[{self._clock() - self._began:6.1f} s] {_visible(record.getMessage())}"
        return super().format(record)

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the level and the message, without the trace of an exception."""
        return f"{record.levelname} {self._process}{_visible(record.message)}"


def _visible(message: str) -> str:
    lines = message.replace("\n  ", "\n").split("\n")
    return "\n  ".join(_CONTROLS.sub(lambda found: repr(found[0])[1:-1], line) for line in lines)


class JsonFormatter(logging.Formatter):
    """Formats one object per line: time (ISO 8601, UTC), level, logger, message, extra fields."""

    def __init__(self, process: str = "") -> None:
        super().__init__()
        self._process = {"process": process} if process else {}

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self._process,
        }
        line |= {name: record.__dict__[name] for name in FIELDS if name in record.__dict__}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode(errors="replace")


def set_up(kind: LogFormat, level: str, began: float, process: str = "") -> None:
    """Write the log to standard error: ours from `level` on, that of libraries from warnings on.

    `process` is told in each line, where several processes write to it.
    """
    handler = logging.StreamHandler(sys.stderr)
    is_json = kind is LogFormat.JSON
    handler.setFormatter(
        JsonFormatter(process) if is_json else TextFormatter(began, process=process)
    )
    least = logging.getLevelNamesMapping()[level.upper()]
    logging.basicConfig(level=max(least, logging.WARNING), handlers=[handler], force=True)
    logging.getLogger("cato_backend").setLevel(least)


class RateLimitedLog:
    """Logs at most `most` warnings in `period_s` seconds; the next one counts those left out.

    For warnings that clients cause: no client can fill the disk with them.
    """

    def __init__(
        self, log: logging.Logger, most: int, period_s: float, clock: Clock = monotonic
    ) -> None:
        self._log = log
        self._most = most
        self._period_s = period_s
        self._clock = clock
        self._began = clock()
        self._passed = self._suppressed = 0

    def warning(self, text: str, *values: object, extra: Mapping[str, object]) -> None:
        """Log a warning, unless there were too many."""
        now = self._clock()
        if now - self._began >= self._period_s:
            self._began, self._passed = now, 0
        if self._passed >= self._most:
            self._suppressed += 1
            return
        self._passed += 1
        told = dict(extra)
        if self._suppressed:
            text, values = f"{text} (%d more were not logged)", (*values, self._suppressed)
            told["suppressed"], self._suppressed = self._suppressed, 0
        self._log.warning(text, *values, extra=told)


class NewsItem(NamedTuple):
    """One line, and its time."""

    at: float
    """Seconds since the epoch."""
    text: str


class NewsLog:
    """Passes each line on, and keeps the newest. `clock` returns seconds since the epoch."""

    def __init__(self, pass_on: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._pass_on = pass_on
        self._clock = clock
        self._items: deque[NewsItem] = deque(maxlen=_MOST)

    def tell(self, text: str) -> None:
        """Tell one line."""
        self._items.append(NewsItem(self._clock(), text[:_LONGEST]))
        self._pass_on(text)

    def newest(self) -> Sequence[NewsItem]:
        """Return what is kept, the newest first."""
        return list(reversed(self._items))

"""The log. It never holds code or tokens, and is never written to stdout."""

from __future__ import annotations

import logging
import sys
import traceback
from logging import LogRecord
from pathlib import Path
from types import TracebackType
from typing import Any

_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"

_TRACED = {"off": logging.WARNING, "messages": logging.INFO, "verbose": logging.DEBUG}

_TALKATIVE = ("pygls", "aiohttp", "websockets", "asyncio")
"""Libraries whose messages carry bodies: pygls logs every one at INFO, failed ones at ERROR."""


class ContentFreeFormatter(logging.Formatter):
    """Shows an exception as its class and its frames: its text may quote the person's code."""

    def formatException(
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None]
        | tuple[None, None, None],
    ) -> str:
        """Return the class of the exception, below the files and lines that it came through."""
        kind, _, trace = ei
        frames = traceback.extract_tb(trace)
        lines = [f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
        return "\n".join([*lines, f"  {kind.__name__ if kind else 'no exception'}"])

    def format(self, record: LogRecord) -> str:
        """Return the record's line; the text that other handlers cached on it is not used."""
        record.exc_text = None
        return super().format(record)


def configure(verbosity: int, log_file: Path | None) -> None:
    """Send the log to `log_file` or stderr. `verbosity`: 0 warnings, 1 info, 2 debug."""
    handler: logging.Handler
    if log_file is None:
        handler = logging.StreamHandler(sys.stderr)
    else:
        log_file.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(log_file, encoding="utf-8")
    handler.setFormatter(ContentFreeFormatter(_FORMAT))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbosity, 2)]
    logging.getLogger("cato_lsp").setLevel(level)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def level() -> int:
    """Return how much is logged now; the level of the command line, unless tracing changes it."""
    return logging.getLogger("cato_lsp").level


def trace(how: str, least: int) -> None:
    """Log as the setting `trace` says, or at the level `least` if that is more.

    A process has one log, whatever the number of its clients.
    """
    logging.getLogger("cato_lsp").setLevel(min(least, _TRACED[how]))


def log_path(log_file: Path | None) -> str | None:
    """Return where a person finds the log, or None if it goes to stderr."""
    return None if log_file is None else str(log_file.resolve())


def report_loop_error(loop: object, context: dict[str, Any]) -> None:
    """Log an error of the event loop without its values, which asyncio's own handler prints."""
    error = context.get("exception")
    logging.getLogger(__name__).error("%s", context.get("message"), exc_info=error)

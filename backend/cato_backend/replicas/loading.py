"""Reads an engine's log while it loads: what is worth telling, and what it said last."""

from __future__ import annotations

import re
from pathlib import Path

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


class LoadReader:
    """Follows one log file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self._half = b""

    def news(self) -> list[str]:
        """What the log has said since the last call that a person wants to know."""
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
        """The log's last telling lines, indented."""
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

"""Reads an engine's log: what is worth telling while it loads, and why it could not load."""

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


def cause_of(log_end: str) -> str:
    """The cause that the last lines of an engine's log tell; empty where it is not a known one."""
    return next((cause for words, cause in _CAUSES if re.search(words, log_end)), "")

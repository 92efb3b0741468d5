"""The headers of a replica's reply that describe its body and its connection."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable

_DELIMITING = frozenset({b"content-length", b"transfer-encoding"})
_RARE = frozenset({b"content-encoding", b"retry-after", b"keep-alive"})
_COMPRESSED = frozenset({b"gzip", b"deflate"})
_ANY_WINDOW = 47
"""zlib's: gzip or zlib, as the data says."""


class ReplyHead:
    """Reads the headers of a reply one by one."""

    def __init__(self) -> None:
        self.content_type = ""
        self.retry_after = ""
        """The header of this name."""
        self.keep_alive_s = math.inf
        """How long the peer keeps an idle connection, if it says so (`Keep-Alive: timeout=`)."""
        self.delimited = False
        """Whether the body's end is told by its length or its chunks, not by the connection's."""
        self.inflate: Callable[[bytes], bytes] | None = None

    def add(self, name: bytes, value: bytes) -> None:
        """One header."""
        name = name.lower()
        if name in _DELIMITING:
            self.delimited = True
        elif name == b"content-type":
            self.content_type = value.decode("latin-1")
        elif name in _RARE:
            self._add_rare(name, value)

    def _add_rare(self, name: bytes, value: bytes) -> None:
        match name:
            case b"content-encoding" if value.lower() in _COMPRESSED:
                self.inflate = zlib.decompressobj(_ANY_WINDOW).decompress
            case b"retry-after":
                self.retry_after = value.decode("latin-1")
            case b"keep-alive":
                self.keep_alive_s = _timeout_s(value)
            case _:
                pass


def _timeout_s(value: bytes) -> float:
    """Return the time-out in a Keep-Alive header, such as `timeout=5, max=100`.

    Infinite without one.
    """
    for part in value.lower().split(b","):
        name, _, seconds = part.strip().partition(b"=")
        if name == b"timeout" and seconds.isdigit():
            return float(seconds)
    return math.inf

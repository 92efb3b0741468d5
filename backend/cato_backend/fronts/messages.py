"""Messages between a front and the scheduler's process: msgpack, each behind its length.

Many requests share one connection. Each has a number that its front gives, and its answer comes in
parts under this number. The two processes run the same program, so that the format has no version.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Generic, TypeVar

import msgspec

from cato_backend.errors import InternalError, RequestError
from cato_backend.gateway.drafts import Draft
from cato_backend.gateway.headers import GivenHeaders
from cato_backend.runtime.calls import Started

WINDOW_BYTES = 256 * 1024
"""Of an answer's bytes, how many may be under way to a client that does not take them."""
_LENGTH_BYTES = 4
MessageT = TypeVar("MessageT")


class ErrorFields(msgspec.Struct, array_like=True, frozen=True):
    """An error of the tree, as it crosses."""

    kind: str
    message: str
    param: str | None
    retry_after_s: float | None

    @classmethod
    def of(cls, error: RequestError) -> ErrorFields:
        """Return the fields of an error."""
        return cls(type(error).__name__, error.message, error.param, error.retry_after_s)

    def error(self) -> RequestError:
        """Return the error again."""
        kind = _kinds().get(self.kind)
        if kind is None:
            return InternalError()
        # The constructors differ; what they set is the same.
        error = kind.__new__(kind, self.message)
        RequestError.__init__(error, self.message, param=self.param)
        error.retry_after_s = self.retry_after_s
        return error


@cache
def _kinds() -> dict[str, type[RequestError]]:
    found: dict[str, type[RequestError]] = {}
    pending: list[type[RequestError]] = [RequestError]
    while pending:
        kind = pending.pop()
        found[kind.__name__] = kind
        pending += kind.__subclasses__()
    return found


class Hello(msgspec.Struct, array_like=True, frozen=True, tag=1):
    """The first message of a front."""

    number: int
    pid: int


class Listening(msgspec.Struct, array_like=True, frozen=True, tag=2):
    """The front takes connections of clients."""


class Identify(msgspec.Struct, array_like=True, frozen=True, tag=3):
    """Asks whether a client may send its body."""

    number: int
    authorization: bytes | None


class Ask(msgspec.Struct, array_like=True, frozen=True, tag=4):
    """A call of a model, checked."""

    number: int
    authorization: bytes | None
    age_s: float
    """Since it arrived: the clocks of two processes are not compared."""
    source: bytes
    """Where it comes from, as far as that is known."""
    given: GivenHeaders
    draft: Draft


class Leave(msgspec.Struct, array_like=True, frozen=True, tag=5):
    """The client of the answer with this number has disconnected."""

    number: int


class Taken(msgspec.Struct, array_like=True, frozen=True, tag=6):
    """`size` more bytes of the answer were written to the client."""

    number: int
    size: int


class Counts(msgspec.Struct, array_like=True, frozen=True, tag=7):
    """What a front has counted since its start; and its connections now."""

    busy: int
    open: int
    closed: dict[str, int]
    """Connections that a limit ended, by limit."""
    refused: dict[str, int]
    """Error answers that the front gave, by code."""


class Quiet(msgspec.Struct, array_like=True, frozen=True, tag=8):
    """Nothing is under way at a front that is being drained."""


FromFront = Hello | Listening | Identify | Ask | Leave | Taken | Counts | Quiet


class Settings(msgspec.Struct, array_like=True, frozen=True, tag=1):
    """The configuration in force, as far as it is a front's; certificates are read again."""

    config: bytes
    """JSON of `Config` with the sections of a front."""
    port: int
    connections: int
    idle: int
    """Limits of this front: its part of those of the server."""


class Identified(msgspec.Struct, array_like=True, frozen=True, tag=2):
    """The answer to `Identify`."""

    number: int
    error: ErrorFields | None


class AnswerBegun(msgspec.Struct, array_like=True, frozen=True, tag=3):
    """An answer begins."""

    number: int
    started: Started


class AnswerBytes(msgspec.Struct, array_like=True, frozen=True, tag=4):
    """Bytes of an answer."""

    number: int
    data: bytes


class AnswerEnded(msgspec.Struct, array_like=True, frozen=True, tag=5):
    """An answer has ended."""

    number: int
    error: ErrorFields | None


class Report(msgspec.Struct, array_like=True, frozen=True, tag=6):
    """Asks for `Counts`."""


class Draining(msgspec.Struct, array_like=True, frozen=True, tag=7):
    """Nothing new is taken; what is under way has so long."""

    left_s: float


class Cut(msgspec.Struct, array_like=True, frozen=True, tag=8):
    """What is under way ends now, with an error."""


class Stop(msgspec.Struct, array_like=True, frozen=True, tag=9):
    """The front ends."""


ToFront = (
    Settings | Identified | AnswerBegun | AnswerBytes | AnswerEnded | Report | Draining | Cut | Stop
)

_encoder = msgspec.msgpack.Encoder()


def packed(message: FromFront | ToFront) -> bytes:
    """Return the bytes of a message, its length first."""
    data = _encoder.encode(message)
    return len(data).to_bytes(_LENGTH_BYTES) + data


class Unpacker(Generic[MessageT]):
    """Finds the messages in what a connection brings."""

    def __init__(self, decoder: msgspec.msgpack.Decoder[MessageT]) -> None:
        self._decoder = decoder
        self._held = bytearray()
        """The beginning of a message that is not whole."""
        self._needed = 0
        """Its bytes, as far as they are known."""

    def feed(self, data: bytes) -> Iterator[MessageT]:
        """Yield the messages that are whole. Raises msgspec.DecodeError."""
        if self._held:
            self._held += data
            if len(self._held) < self._needed:
                return
            data = bytes(self._held)
            self._held.clear()
        start, end, view = 0, len(data), memoryview(data)
        while end - start >= _LENGTH_BYTES:
            begin = start + _LENGTH_BYTES
            stop = begin + int.from_bytes(view[start:begin])
            if stop > end:
                break
            yield self._decoder.decode(view[begin:stop])
            start = stop
        if start < end:
            self._held += view[start:]
            self._needed = _LENGTH_BYTES
            if end - start >= _LENGTH_BYTES:
                self._needed += int.from_bytes(view[start : start + _LENGTH_BYTES])


def to_bytes(header: str | None) -> bytes | None:
    """Return the bytes of a header, which need not be UTF-8."""
    return None if header is None else header.encode(errors="surrogateescape")


def to_text(header: bytes | None) -> str | None:
    """Return the header again."""
    return None if header is None else header.decode(errors="surrogateescape")


def from_front() -> Unpacker[FromFront]:
    """Return what reads a front's messages."""
    return Unpacker(msgspec.msgpack.Decoder(FromFront))


def to_front() -> Unpacker[ToFront]:
    """Return what reads the scheduler's messages."""
    return Unpacker(msgspec.msgpack.Decoder(ToFront))

"""Server-sent events: an incremental reader and the one way to write an event."""

from __future__ import annotations

from typing import NamedTuple

_CR, _LF = 0x0D, 0x0A
"""As a number: to look for a string of bytes costs bytes an exception each time."""
_BOM = b"\xef\xbb\xbf"
DONE = "[DONE]"
MESSAGE, ERROR = "message", "error"
"""Names of events: of those that have none, and of those that report an error."""
CONTENT_TYPE = "text/event-stream"


class Event(NamedTuple):
    """One event: its name (`message` where the stream gives none), its data, its bytes.

    `raw` is what to pass on: the very bytes of an event that is one line of data, else the data
    alone, as comments, ids and retry times are the peer's own. A tuple, because one is made for
    each token.
    """

    name: str
    data: str
    raw: bytes


class MalformedStream(ValueError):
    """The stream broke the rules of server-sent events, or one event outgrew the limit."""


class EventReader:
    """Turns chunks of bytes, cut anywhere, into whole events.

    Lines may end with LF, CRLF or CR; a byte order mark in front is skipped. `limit` bounds the
    bytes held for one unfinished event, so that a peer which never ends an event cannot take the
    memory of the process.
    """

    def __init__(self, limit: int = 4 * 1024 * 1024) -> None:
        self._held = b""
        self._limit = limit
        self._at_start = True
        self._after_cr = False

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events completed by `chunk`. Raises MalformedStream."""
        if not (self._held or self._at_start or self._after_cr) and _is_one_line(chunk):
            try:  # As `_event_of_line`, without its calls for each token.
                return [Event(MESSAGE, chunk.decode()[6:-2], chunk)]
            except UnicodeDecodeError as error:
                raise _not_utf8(error) from error
        if self._after_cr or _CR in chunk:
            chunk = self._with_plain_ends(chunk)
        held = self._held + chunk if self._held else chunk
        if self._at_start:
            if len(held) < len(_BOM) and _BOM.startswith(held):
                self._held = held
                return []
            held, self._at_start = held.removeprefix(_BOM), False
        *blocks, self._held = held.split(b"\n\n")
        if len(self._held) > self._limit:
            raise MalformedStream(f"an event is longer than {self._limit} bytes")
        return [event for block in blocks if (event := _parse(block + b"\n\n")) is not None]

    def end(self) -> list[Event]:
        """End the stream, and return the last event if only its closing blank line is missing.

        Raises MalformedStream.
        """
        return self.feed(b"\n\n") if self.unfinished else []

    @property
    def unfinished(self) -> bool:
        """Whether bytes of an event without its end are held."""
        return bool(self._held.strip())

    def _with_plain_ends(self, chunk: bytes) -> bytes:
        """With LF for every line end. A CR is one at once: an LF that follows it is part of it."""
        if self._after_cr:
            chunk = chunk.removeprefix(b"\n")
        self._after_cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _is_one_line(chunk: bytes) -> bool:
    """Return whether these are one event that is one line of data.

    Nearly every read from a replica.
    """
    return (
        chunk.find(b"\n") == len(chunk) - 2
        and chunk.startswith(b"data: ")
        and chunk[-1] == _LF
        and _CR not in chunk
    )


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _not_utf8(error) from error


def _not_utf8(error: UnicodeDecodeError) -> MalformedStream:
    return MalformedStream(f"not UTF-8 at byte {error.start}")


def _parse(raw: bytes) -> Event | None:
    if _is_one_line(raw):
        return _event_of_line(raw)
    return _parse_lines(_decoded(raw).split("\n"))


def _event_of_line(raw: bytes) -> Event:
    return Event(MESSAGE, _decoded(raw)[6:-2], raw)


def _parse_lines(lines: list[str]) -> Event | None:
    name = MESSAGE
    data: list[str] = []
    for line in lines:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            name = value or MESSAGE
        elif field == ERROR:  # llama.cpp writes errors into a field of their own.
            name = ERROR
            data.append(value)
    if not data and name != ERROR:
        return None
    text = "\n".join(data)
    return Event(name, text, event(text))


def json_event(json: bytes, name: str | None = None) -> bytes:
    """Return the bytes of an event that holds JSON, which has no line ends of its own."""
    data = b"data: %b\n\n" % json
    return f"event: {name}\n".encode() + data if name else data


def event(data: str, name: str | None = None) -> bytes:
    """Return the bytes of one event; `data` may hold line ends."""
    head = f"event: {name}\n" if name else ""
    body = "".join(f"data: {line}\n" for line in data.split("\n"))
    return f"{head}{body}\n".encode()

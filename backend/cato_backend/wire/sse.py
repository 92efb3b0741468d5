"""Server-sent events: an incremental reader and the one way to write an event."""

from __future__ import annotations

from typing import NamedTuple

_CR = 0x0D
"""As a number: to look for a string of bytes costs bytes an exception each time."""
DONE = "[DONE]"
CONTENT_TYPE = "text/event-stream"


class Event(NamedTuple):
    """One event: its name (`message` where the stream gives none), its data, its very bytes.

    A tuple, because one is made for each token.
    """

    name: str
    data: str
    raw: bytes


class MalformedStream(ValueError):
    """The stream broke the rules of server-sent events, or one event outgrew the limit."""


class EventReader:
    """Turns chunks of bytes, cut anywhere, into whole events.

    `limit` bounds the bytes held for one unfinished event, so that a peer which never ends an
    event cannot take the memory of the process.
    """

    def __init__(self, limit: int = 4 * 1024 * 1024) -> None:
        self._held = b""
        self._limit = limit

    def feed(self, chunk: bytes) -> list[Event]:
        """Returns the events completed by `chunk`. Raises MalformedStream."""
        held = self._held + chunk if self._held else chunk
        if _CR in held:
            # A lone CR at the very end may be the first half of CRLF: wait for the next chunk.
            tail = b"\r" if held.endswith(b"\r") else b""
            held = (
                held[: len(held) - len(tail)].replace(b"\r\n", b"\n").replace(b"\r", b"\n") + tail
            )
        *blocks, self._held = held.split(b"\n\n")
        if len(self._held) > self._limit:
            raise MalformedStream(f"an event is longer than {self._limit} bytes")
        return [event for block in blocks if (event := _parse(block + b"\n\n")) is not None]

    @property
    def unfinished(self) -> bool:
        """Whether bytes of an event without its end are held."""
        return bool(self._held.strip())


def _parse(raw: bytes) -> Event | None:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedStream(f"not UTF-8 at byte {error.start}") from error
    if text.startswith("data: ") and text.find("\n") == len(text) - 2:
        return Event("message", text[6:-2], raw)  # One line of data: nearly every event is so.
    return _parse_lines(text.split("\n"), raw)


def _parse_lines(lines: list[str], raw: bytes) -> Event | None:
    name = "message"
    data: list[str] = []
    for line in lines:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            name = value
    return Event(name, "\n".join(data), raw) if data else None


def json_event(json: bytes) -> bytes:
    """The bytes of an unnamed event that holds JSON, which has no line ends of its own."""
    return b"data: %b\n\n" % json


def event(data: str, name: str | None = None) -> bytes:
    """The bytes of one event; `data` may hold line ends."""
    head = f"event: {name}\n" if name else ""
    body = "".join(f"data: {line}\n" for line in data.split("\n"))
    return f"{head}{body}\n".encode()

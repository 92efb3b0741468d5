"""Messages in a stream of bytes, as LSP frames them."""

from __future__ import annotations

import asyncio

LARGEST_MESSAGE = 256 * 1024 * 1024


class BrokenFraming(ConnectionError):
    """What came is not LSP: there is no telling where the next message starts."""


async def read_message(reader: asyncio.StreamReader) -> bytes | None:
    """The body of the next message, or None at the end. Raises BrokenFraming."""
    length: int | None = None
    try:
        while header := (await reader.readuntil(b"\n")).strip():
            name, _, value = header.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if length is None or not 0 <= length <= LARGEST_MESSAGE:
            raise BrokenFraming("a message without a usable Content-Length")
        return await reader.readexactly(length)
    except asyncio.IncompleteReadError:
        return None
    except (ValueError, asyncio.LimitOverrunError) as error:
        raise BrokenFraming("a header that is not LSP's") from error

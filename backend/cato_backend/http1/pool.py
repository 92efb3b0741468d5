"""The idle connections to one server, kept for its next requests."""

from __future__ import annotations

from collections import deque

from cato_backend.http1.connections import Connection

_HEADER_FACTOR = 4.0
_HEADER_SAMPLES = 32


class Pool:
    """Holds idle connections, and knows how long the headers of this server's streams take."""

    def __init__(self) -> None:
        self._idle: deque[Connection] = deque()
        self._header_s: deque[float] = deque(maxlen=_HEADER_SAMPLES)

    def put(self, connection: Connection) -> None:
        """Record that it can take another request."""
        self._idle.append(connection)
        while not self._idle[0].usable:  # The oldest expire first.
            self._idle.popleft().close()

    def take(self) -> Connection | None:
        """Return the one that was used last, as it is the least likely to be closed by its peer."""
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
            connection.close()
        return None

    def close(self) -> None:
        """Close all."""
        while self._idle:
            self._idle.pop().close()

    def observe_headers(self, delay_s: float) -> None:
        """Record that a stream's headers came after this time."""
        self._header_s.append(delay_s)

    def header_limit_s(self, least_s: float) -> float:
        """Return how long a stream's headers may take before a kept connection counts as dead.

        Servers differ: vLLM sends headers at once, others with the first token.
        """
        return max(least_s, _HEADER_FACTOR * max(self._header_s, default=0.0))

"""The interface to a tracer of requests. Without a tracer nothing is kept or sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol, TypeAlias

from cato_backend.requests import value
from cato_backend.runtime.calls import Call
from cato_backend.scheduling import Dispatch

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@value
class TokenCounts:
    """The numbers of tokens of an answer."""

    output: int
    prompt: int | None
    """By the engine's own count; None where it told none."""
    cached: int | None


class RequestTrace(Protocol):
    """One request, from its arrival to its end."""

    def sent(self, dispatch: Dispatch, predicted_s: float | None) -> None:
        """Record that it goes to a replica now. `predicted_s`: to the promised event."""
        ...

    def headers(self) -> Mapping[str, str]:
        """Return what the replica is told, so that its own spans come below the attempt's."""
        ...

    def began(self) -> None:
        """Record that the first token goes to the client."""
        ...

    def failed(self, problem: str) -> None:
        """Record that the attempt has ended without the end of the answer."""
        ...

    def interrupted(self) -> None:
        """Record that the attempt was ended: its client has ended it, or another one follows."""
        ...

    def ended(self, outcome: str, tokens: TokenCounts) -> None:
        """Record how it ended for its client: `met`, `late`, `cancelled`, a code of a refusal."""
        ...


Tracer: TypeAlias = Callable[[Call], RequestTrace]
"""Begins the trace of a call."""


class _Untraced:
    """Records nothing."""

    def sent(self, dispatch: Dispatch, predicted_s: float | None) -> None:
        pass

    def headers(self) -> Mapping[str, str]:
        return _NO_HEADERS

    def began(self) -> None:
        pass

    def failed(self, problem: str) -> None:
        pass

    def interrupted(self) -> None:
        pass

    def ended(self, outcome: str, tokens: TokenCounts) -> None:
        pass


_UNTRACED = _Untraced()


def untraced(_call: Call) -> RequestTrace:
    """Begin no trace."""
    return _UNTRACED

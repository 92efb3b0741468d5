"""What the fake saw and does now: for assertions, for `/metrics` and for `GET /fake/state`."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request to a generating route."""

    path: str
    headers: dict[str, str]
    body: Any


@dataclass(slots=True)
class State:
    """Counters since the start. `finished` is by vLLM's reasons: stop, length, abort, error."""

    requests: list[Recorded] = field(default_factory=list[Recorded])
    running: int = 0
    waiting: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    finished: Counter[str] = field(default_factory=Counter[str])
    ttft_s: list[float] = field(default_factory=list[float])
    e2e_s: list[float] = field(default_factory=list[float])

    @property
    def aborted(self) -> int:
        """Requests whose client went away before they were finished."""
        return self.finished["abort"]

    def json(self) -> dict[str, Any]:
        """The state as it goes over the wire."""
        values = {name.name: getattr(self, name.name) for name in fields(self)}
        values["requests"] = [asdict(request) for request in self.requests]
        return {**values, "finished": dict(self.finished), "aborted": self.aborted}

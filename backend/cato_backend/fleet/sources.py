"""Where replicas come from beside this machine, and whether these sources answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cato_backend.logs import NewsWarning

_MOST_TROUBLES = 16
"""Of one source that are logged: some texts have figures in them that change each time."""


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """The state of one source: a cluster, or a list of replicas that others run."""

    name: str
    since: float
    """Seconds since the epoch."""
    trouble: str = ""
    """Empty where it answers."""
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.trouble}; {self.remedy}" if self.trouble else "it answers"


class Sources:
    """The states of all sources. `clock` returns seconds since the epoch."""

    def __init__(self, clock: Callable[[], float], on_note: Callable[[str, str], None]) -> None:
        self._clock = clock
        self._on_note = on_note
        self._sources: dict[str, SourceStatus] = {}
        self._told: dict[str, set[str]] = {}
        """By source, the troubles that were logged since it last answered."""

    def all(self) -> tuple[SourceStatus, ...]:
        """Return all states."""
        return tuple(self._sources.values())

    def expect(self, name: str) -> None:
        """Name a source that has not answered yet."""
        self._sources[name] = SourceStatus(name, self._clock())

    def set(self, name: str, trouble: str, remedy: str) -> None:
        """Set a source's state; log each trouble once until it answers again, and that it does."""
        old = self._sources[name]
        lasts = bool(old.trouble) == bool(trouble)
        since = old.since if lasts else self._clock()
        new = self._sources[name] = SourceStatus(name, since, trouble, remedy)
        told = self._told.setdefault(name, set())
        if trouble:
            is_news = trouble not in told and len(told) < _MOST_TROUBLES
            told.add(trouble)
        else:
            is_news = not lasts
            told.clear()
        if is_news:
            self._on_note(name, NewsWarning(new) if trouble else str(new))

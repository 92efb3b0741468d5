"""Replay of an event log: checks that the scheduler still makes the same decisions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cato_backend.errors import ConfigError
from cato_backend.scheduling.decisions import Decision
from cato_backend.scheduling.journal import Entry, Opening, decode_opening, entries_of
from cato_backend.scheduling.policies import Setup, make_policy, policy_names
from cato_backend.scheduling.scheduler import Scheduler


@dataclass(frozen=True, slots=True)
class Difference:
    """The first event whose decisions differ."""

    number: int
    """Number of the event, counted from 1."""
    entry: Entry
    decided: tuple[Decision, ...]
    """Now; what was decided then is in `entry`."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """The result of a replay."""

    opening: Opening
    events: int
    decisions: int
    seconds: float
    """Between the first event and the last, on the scheduler's clock."""
    difference: Difference | None = None


def replay(parts: Sequence[Iterable[bytes]]) -> Replayed:
    """Tell the lines of a log, in all its parts, to a scheduler like the one that wrote them.

    Raises ConfigError where the log has no beginning, is damaged, or names an unknown policy. A
    last line that a crash cut short is left out.
    """
    opening, entries = _read(parts)
    if opening.policy not in policy_names():
        raise ConfigError.of(
            "policy", opening.policy, "one of " + ", ".join(sorted(policy_names()))
        )
    limits = opening.limits
    setup = Setup(seed=opening.seed, long_prompts=limits.long_prompts)
    scheduler = Scheduler(make_policy(opening.policy, setup), limits)
    decisions = 0
    for number, entry in enumerate(entries, start=1):
        decided = tuple(scheduler.handle(entry.event, entry.t))
        decisions += len(decided)
        if decided != entry.decisions:
            found = Difference(number, entry, decided)
            return Replayed(opening, number, decisions, entry.t - entries[0].t, found)
    seconds = entries[-1].t - entries[0].t if entries else 0.0
    return Replayed(opening, len(entries), decisions, seconds)


def _read(parts: Sequence[Iterable[bytes]]) -> tuple[Opening, list[Entry]]:
    openings: list[Opening] = []
    entries: list[Entry] = []
    for number, part in enumerate(parts, start=1):
        lines = list(part)
        opening = decode_opening(lines[0] if lines else b"")
        if opening.part != number or (openings and opening.run != openings[0].run):
            raise ConfigError.of("part", opening.part, f"part {number}: the log begins later")
        openings.append(opening)
        entries += [entry for entry in entries_of(lines[1:]) if isinstance(entry, Entry)]
    if not openings:
        raise ConfigError("no event log was given")
    return openings[0], entries

"""Coding agents that repeat recorded sessions, turn by turn.

A file of sessions is CSV, compressed by gzip or not, with the columns `session`, `t_s` (seconds
from the session's start), `input_tokens`, `output_tokens` and `reused_prefix_tokens` (what a turn
shares with one of the eight before). callanjfox/kv-cache-tester publishes sessions of agents.
"""

from __future__ import annotations

import csv
import gzip
from collections import deque
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.agents import Agent
from cato_backend.config import TargetsConfig
from cato_backend.wire.headers import Task
from cato_lab.workloads.arrival import Arrival
from cato_lab.workloads.lengths import SessionBlocks

_SESSIONS = 2_000_000
"""Ids of prompt blocks from here on belong to recorded agents."""
_REMEMBERED = 8
"""Turns with one of which a turn may share its prefix."""
_LONGEST_GAP_S = 30.0
"""Longer pauses are those of a person who reads; shortened, they make the load higher."""
_SHORTEST_GAP_S, _TOKEN_S = 0.5, 0.02
"""A recorded start-to-start time has the answer in it, which took about so much a token."""
_FIRST_TURNS_S = 20.0


class RecordedTurn(NamedTuple):
    """One request of a recorded session."""

    t_s: float
    input_tokens: int
    output_tokens: int
    reused_tokens: int


def read_sessions(file: Path, longest: int) -> list[list[RecordedTurn]]:
    """Return the sessions of a file, each up to the first prompt above `longest` tokens."""
    opened = gzip.open if file.suffix == ".gz" else open
    with opened(file, "rt", encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
    found = (
        list(_fitting(rows_of, longest)) for _, rows_of in groupby(rows, lambda row: row["session"])
    )
    return [session for session in found if len(session) > 1]


def _fitting(rows: Iterator[dict[str, str]], longest: int) -> Iterator[RecordedTurn]:
    for row in rows:
        turn = RecordedTurn(
            float(row["t_s"]),
            int(row["input_tokens"]),
            int(row["output_tokens"]),
            int(row["reused_prefix_tokens"]),
        )
        if turn.input_tokens > longest:
            return
        yield turn


def recorded(sessions: list[list[RecordedTurn]], count: int, seed: int) -> list[Agent]:
    """Return so many agents; each goes through sessions in a random order, one after another."""
    return [_Recorded(sessions, seed, index) for index in range(count)]


class _Recorded:
    def __init__(self, sessions: list[list[RecordedTurn]], seed: int, index: int) -> None:
        self.name = f"agent{index}"
        rng = np.random.default_rng([seed, _SESSIONS, index])
        order = rng.permutation(len(sessions))
        self._turns = [turn for number in order for turn in sessions[int(number)]]
        # Most of the time an agent is in the middle of a session.
        self._next = int(rng.integers(len(sessions[int(order[0])])))
        self._blocks = SessionBlocks(_SESSIONS + index)
        self._prompts = deque[tuple[int, tuple[int, ...]]](maxlen=_REMEMBERED)
        self.begins_s = float(rng.uniform(0, _FIRST_TURNS_S))

    def gap_s(self) -> float:
        """Between an answer and the next turn."""
        if self._next >= len(self._turns):
            return _SHORTEST_GAP_S
        before, turn = self._turns[self._next - 1], self._turns[self._next]
        gap_s = turn.t_s - before.t_s - _TOKEN_S * before.output_tokens
        return min(_LONGEST_GAP_S, max(_SHORTEST_GAP_S, gap_s))

    def turn(self, now: float) -> Arrival | None:
        """The next turn; None after the last."""
        if self._next >= len(self._turns):
            return None
        turn = self._turns[self._next]
        self._next += 1
        prompt = self._blocks.edited(self._shared(turn), turn.reused_tokens, turn.input_tokens)
        self._prompts.append((turn.input_tokens, prompt))
        return Arrival(
            id=f"{self.name}-{self._next}",
            time=now,
            task=Task.AGENT,
            prompt_tokens=turn.input_tokens,
            output_tokens=max(1, turn.output_tokens),
            max_tokens=max(4096, turn.output_tokens),
            target=TargetsConfig().of(Task.AGENT),
            blocks=prompt,
            session=self.name,
        )

    def _shared(self, turn: RecordedTurn) -> tuple[int, ...]:
        """Return the latest prompt that is long enough to have what the turn shares."""
        for tokens, prompt in reversed(self._prompts):
            if tokens >= turn.reused_tokens:
                return prompt
        return ()

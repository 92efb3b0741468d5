"""Agents of a benchmark that repeat recorded sessions."""

from __future__ import annotations

from pathlib import Path

from bench.recorded_agents import read_sessions, recorded
from cato_lab.workloads.arrival import BLOCK_TOKENS

SESSIONS = """session,t_s,input_tokens,output_tokens,reused_prefix_tokens
a,0,1600,10,0
a,5,3200,20,1600
a,9,1760,10,1600
a,500,4000,30,3200
b,0,160,1,0
b,1,200000,1,160
c,0,160,1,0
"""


def test_a_turn_shares_with_an_earlier_one_what_was_recorded(tmp_path: Path) -> None:
    file = tmp_path / "sessions.csv"
    file.write_text(SESSIONS)
    sessions = read_sessions(file, longest=160_000)
    assert [len(session) for session in sessions] == [4]
    (agent,) = (each for each in recorded(sessions * 3, 1, seed=1))
    turns = []
    while (turn := agent.turn(0.0)) is not None:
        turns.append(turn)
        assert 0.5 <= agent.gap_s() <= 30.0
    starts = [n for n, turn in enumerate(turns) if turn.prompt_tokens == 1600]
    first, second, third, fourth = turns[starts[0] : starts[0] + 4]
    assert [turn.prompt_tokens for turn in (first, second, third, fourth)] == [
        *(1600, 3200, 1760, 4000)
    ]
    for earlier, later, tokens in ((first, second, 1600), (second, third, 1600)):
        assert shared(earlier.blocks, later.blocks) == tokens // BLOCK_TOKENS
    assert shared(second.blocks, fourth.blocks) == 3200 // BLOCK_TOKENS
    assert agent.turn(0.0) is None


def shared(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    """How many blocks two prompts have in common at their beginning."""
    return next(
        (n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )

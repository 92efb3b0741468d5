"""Worlds by number: repeatable, within their ranges, and varied."""

from __future__ import annotations

from itertools import islice, pairwise

import pytest

from bench.arena.demand import Headers, Withdrawal
from bench.arena.hardware import Told
from bench.arena.idle import alone
from bench.arena.traffic import Traffic
from bench.arena.worlds import World, world
from cato_backend.wire.headers import Task
from cato_lab.workloads import Arrival

_NUMBERS = range(1, 41)


@pytest.fixture(scope="module")
def worlds() -> list[World]:
    return [world(number) for number in _NUMBERS]


def _asked(found: World, count: int = 300) -> list[Arrival]:
    return list(islice(Traffic(found.demand, 20.0, 1e6).arrivals(1), count))


def test_a_number_is_a_world(worlds: list[World]) -> None:
    assert world(7) == worlds[6]
    assert world(7) != worlds[7]
    assert _asked(world(7)) == _asked(worlds[6])


def test_worlds_stay_within_their_ranges(worlds: list[World]) -> None:
    for found in worlds:
        members = found.fleet.members
        assert 1 <= len(members) <= 32
        assert 0.3 <= found.load <= 2.0
        assert 0 < found.capacity <= 26 + 1.8 * len(members)
        assert sum(found.demand.shares.values()) == pytest.approx(1.0)
        assert sum(not member.ready_s for member in members) >= 1
        assert all(index < len(members) for _, index in found.fleet.kills)
        for member in members:
            assert (
                member.profile.limits.max_num_seqs <= member.profile.limits.max_num_batched_tokens
            )
            assert (member.told is None) == (found.told is Told.NOTHING)
            assert (
                (member.told == member.profile)
                or found.told is not Told.TRUTH
                or (not found.limits_told)
            )


def test_worlds_differ_in_everything(worlds: list[World]) -> None:
    """Forty worlds show every kind of what the router is told, of headers and of withdrawal."""
    assert {found.told for found in worlds} == set(Told)
    assert {found.demand.headers for found in worlds} == set(Headers)
    assert {found.demand.typing.withdrawal for found in worlds} == set(Withdrawal)
    assert {found.demand.flat_translations for found in worlds} == {True, False}
    assert any(found.trouble.kills for found in worlds)
    assert any(found.trouble.slowed for found in worlds)
    assert any(found.demand.shares[Task.AGENT] for found in worlds)
    assert any(found.demand.long_share for found in worlds)
    assert len({len(found.fleet.members) for found in worlds}) > 8


def test_an_idle_replica_meets_nearly_all_targets(worlds: list[World]) -> None:
    """What no router could meet would tell nothing about routers."""
    for found in worlds[:12]:
        members = sorted(found.fleet.members, key=lambda m: m.profile.law.seconds(516, 17, 17_000))
        asked = _asked(found)
        times = alone(asked, members[len(members) // 2].profile)
        met = [
            (took.last_token_s if a.target.ttft_s is None else took.first_token_s)
            <= a.target.budget_s
            for a, took in zip(asked, times, strict=True)
        ]
        assert sum(met) >= 0.9 * len(met), found.number


def test_every_request_fits_every_replica(worlds: list[World]) -> None:
    for found in worlds:
        for arrival in _asked(found):
            assert arrival.prompt_tokens + arrival.output_tokens <= found.fleet.longest_request
            assert len(arrival.blocks) <= arrival.prompt_tokens / 16


def test_clients_tell_no_more_than_their_headers_do(worlds: list[World]) -> None:
    for found in worlds:
        for arrival in _asked(found, 100):
            told = arrival.request("m", 0.0)
            if found.demand.headers is Headers.OURS:
                assert (told.task, told.target) == (arrival.task, arrival.target)
                continue
            assert told.task in (Task.COMPLETION, Task.GENERATION, Task.AGENT)
            assert (told.origin.document, told.supersede, told.expected_tokens) == ("", False, None)
            assert bool(told.origin.session) == (found.demand.headers is Headers.PEERS)


def test_what_the_next_key_takes_back_does_not_count(worlds: list[World]) -> None:
    typed = [
        arrival
        for found in worlds
        if found.demand.typing.withdrawal is not Withdrawal.NEVER
        for arrival in _asked(found)
        if arrival.task is Task.COMPLETION
    ]
    taken_back = [arrival for arrival in typed if arrival.cancel_after_s is not None]
    assert 0.3 < len(taken_back) / len(typed) < 0.95
    assert not all(arrival.counts for arrival in taken_back)


def test_an_agents_prompt_grows_by_its_turns(worlds: list[World]) -> None:
    found = next(w for w in worlds if w.demand.shares[Task.AGENT] > 0.05)
    turns = [a for a in _asked(found, 2000) if a.task is Task.AGENT and a.session == "a0"]
    longer = [(a, b) for a, b in pairwise(turns) if b.prompt_tokens > a.prompt_tokens]
    assert longer
    for before, after in longer:
        kept = before.prompt_tokens // 16
        assert after.blocks[:kept] == before.blocks[:kept]

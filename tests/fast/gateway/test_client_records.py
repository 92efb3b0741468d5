"""Feedback on disk."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cato_backend.errors import TooManySignIns
from cato_backend.gateway.client_records import FeedbackStore, RateCap, SignInCaps, WarmCaps
from cato_backend.team.index import Requester


def entries(store: FeedbackStore, tenant: str) -> list[dict[str, int]]:
    return [json.loads(line) for line in store.of(tenant).splitlines()]


def test_each_tenant_reads_only_its_own_feedback_and_the_file_is_private(tmp_path: Path) -> None:
    store = FeedbackStore(tmp_path / "new" / "feedback.jsonl", 1000)
    assert store.of("alice") == b""
    for number, tenant in enumerate(["alice", "bob", "alice"]):
        store.add(tenant, {"number": number})
    assert entries(store, "alice") == [{"number": 0}, {"number": 2}]
    assert entries(store, "bob") == [{"number": 1}]
    assert (tmp_path / "new" / "feedback.jsonl").stat().st_mode & 0o777 == 0o600


def test_the_oldest_go_and_both_files_stay_bounded(tmp_path: Path) -> None:
    path = tmp_path / "feedback.jsonl"
    store = FeedbackStore(path, 200)
    for number in range(100):
        store.add("alice", {"number": number})
        assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 400
    kept = [entry["number"] for entry in entries(store, "alice")]
    assert kept == list(range(kept[0], 100))
    assert len(kept) >= 5


def test_a_line_that_a_crash_cut_short_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "feedback.jsonl"
    store = FeedbackStore(path, 1000)
    store.add("alice", {"number": 1})
    with path.open("ab") as file:
        file.write(b'{"tenant": "alice", "num\n7\n')
    assert entries(store, "alice") == [{"number": 1}]


@settings(max_examples=50)
@given(st.lists(st.floats(0, 20), min_size=1, max_size=60), st.floats(0.1, 10), st.integers(1, 5))
def test_no_window_holds_more_than_the_rate_and_the_burst(
    times: list[float], per_s: float, burst: int
) -> None:
    cap, key = RateCap(per_s, burst), ("tenant", "session")
    passed = [now for now in sorted(times) if cap.wait_s(key, now) == 0.0]
    for first, begin in enumerate(passed):
        for last, end in enumerate(passed[first:], start=1):
            assert last <= burst + per_s * (end - begin) + 1e-6


def test_who_is_told_to_wait_gets_through_after_it() -> None:
    cap = RateCap(2.0, 3)
    assert [cap.wait_s(("", "a"), 0.0) for _ in range(3)] == [0.0] * 3
    wait_s = cap.wait_s(("", "a"), 0.0)
    assert wait_s == pytest.approx(0.5)
    assert cap.wait_s(("", "b"), 0.0) == 0.0
    assert cap.wait_s(("", "a"), wait_s) == 0.0


async def test_the_file_is_read_by_one_at_a_time(tmp_path: Path) -> None:
    store, begun = FeedbackStore(tmp_path / "feedback.jsonl", 1000), threading.Event()

    def first() -> bool:
        return begun.wait(0.2)

    overlaps, _ = await asyncio.gather(store.read(first), store.read(begun.set))
    assert not overlaps


def test_a_person_with_many_sessions_warms_as_often_as_a_few_editors() -> None:
    caps, now = WarmCaps(1.0, 2), 100.0
    for who, passing in (
        (Requester("@ada", "ada"), 16),
        (Requester("@bo", "bo"), 16),
        (Requester("0123", None), 100),
    ):
        waits = [caps.wait_s(who, f"session-{number}", now) for number in range(100)]
        assert sum(wait == 0 for wait in waits) == passing
    ada = Requester("@ada", "ada")
    assert caps.wait_s(ada, "another", now + 1) == 0


def test_one_editor_warms_as_often_as_its_own_cap_allows() -> None:
    caps = WarmCaps(1.0, 2)
    waits = [caps.wait_s(Requester("@ada", "ada"), "session", 100.0) for _ in range(3)]
    assert waits == [0.0, 0.0, pytest.approx(1.0)]


def asks_without_end(caps: SignInCaps, clients: Iterable[str]) -> None:
    for client in clients:
        caps.check(client, 0.0, is_device=True)


def test_one_machine_cannot_ask_without_end_from_addresses_of_its_network() -> None:
    caps = SignInCaps()
    with pytest.raises(TooManySignIns):
        asks_without_end(caps, (f"2001:db8::{number:x}" for number in range(100)))
    asks_without_end(caps, (f"2001:db8:0:{number:x}::1" for number in range(1, 100)))


def test_an_address_is_the_same_client_however_it_is_written() -> None:
    caps = SignInCaps()
    with pytest.raises(TooManySignIns):
        asks_without_end(caps, 50 * ("10.0.0.7", "::ffff:10.0.0.7"))
    asks_without_end(caps, ("@10.0.0.7", "10.0.0.8", "fe80::1%eth0"))

"""llm-d's sticky until saturated, Dynamo's policy queues, consistent hashing with bounded loads."""

from __future__ import annotations

from dataclasses import replace

from cato_backend.profile_files.profile import EngineLimits, Profile, StepLaw
from cato_backend.requests import Origin, Request
from cato_backend.scheduling import (
    Cancelled,
    Dispatch,
    Progressed,
    ReplicaDown,
    ReplicaUp,
    Scheduler,
    Setup,
    Submitted,
    make_policy,
)
from cato_backend.wire.headers import Task
from tests.fast.scheduling.stories import MODEL, request

_PROFILE = Profile(
    MODEL,
    "test",
    StepLaw("additive", base=0.02, per_new_token=0.0001),
    EngineLimits(max_num_seqs=64, max_num_batched_tokens=512, kv_tokens=100_000),
)
"""Some 7,200 prompt tokens a second in full chunks; busy for Dynamo above 2,048 of them."""


class _Fleet:
    def __init__(self, policy: str, names: str = "ab") -> None:
        self.scheduler = Scheduler(make_policy(policy, Setup(seed=1)))
        for name in names:
            self.scheduler.handle(ReplicaUp(name, MODEL, 64, _PROFILE), 0.0)

    def submit(self, *requests: Request, now: float = 0.0) -> list[Dispatch]:
        """What is dispatched because of them."""
        made = [d for r in requests for d in self.scheduler.handle(Submitted(r), now)]
        return [d for d in made if isinstance(d, Dispatch)]

    def begin(self, dispatch: Dispatch, now: float = 0.1) -> list[Dispatch]:
        """Its first token comes."""
        made = self.scheduler.handle(Progressed(dispatch.request_id, dispatch.attempt, 1), now)
        return [d for d in made if isinstance(d, Dispatch)]


def _prompt(name: str, tokens: int, *blocks: int) -> Request:
    return replace(request(name, prompt_tokens=tokens, ttft_s=50), prompt_blocks=blocks)


def _session(name: str, session: str) -> Request:
    return replace(request(name, ttft_s=50), origin=Origin("t", session))


def test_sticky_stays_until_the_penalty_is_reached() -> None:
    fleet = _Fleet("llm-d-sticky")
    blocks = tuple(range(10))
    (first,) = fleet.submit(_prompt("first", 800, *blocks))
    fleet.begin(first)
    warm = first.replica_id
    (busy,) = fleet.submit(_prompt("busy", 2000, *blocks, 98, 99, 100))
    assert busy.replica_id == warm  # 0.25 s behind would be 1,800 uncached tokens.
    (again,) = fleet.submit(_prompt("again", 820, *blocks))
    assert again.replica_id == warm


def test_sticky_gives_way_where_the_warm_replica_is_saturated() -> None:
    fleet = _Fleet("llm-d-sticky")
    blocks = tuple(range(40))
    (first,) = fleet.submit(_prompt("first", 3200, *blocks))
    placed = fleet.submit(_prompt("again", 3200, *blocks))  # 3,200 tokens: 0.44 s behind.
    assert placed[0].replica_id != first.replica_id


def test_without_a_sticky_replica_the_fewest_uncached_tokens_decide() -> None:
    fleet = _Fleet("llm-d-sticky")
    (long,) = fleet.submit(_prompt("long", 4000))
    places = [d.replica_id for d in fleet.submit(*(_prompt(f"r{n}", 500) for n in range(4)))]
    assert long.replica_id not in places


def test_dynamo_queues_while_every_replica_is_busy() -> None:
    fleet = _Fleet("dynamo-edf")
    busy = fleet.submit(*(_prompt(f"r{n}", 3000) for n in range(2)))
    assert {d.replica_id for d in busy} == {"a", "b"}
    assert fleet.submit(_prompt("next", 100)) == []
    (sent,) = fleet.begin(busy[1])
    assert (sent.request_id, sent.replica_id) == ("next", busy[1].replica_id)


def test_dynamo_serves_the_earliest_deadline_of_a_class() -> None:
    fleet = _Fleet("dynamo-edf", "a")
    (busy,) = fleet.submit(_prompt("busy", 3000))
    patient, urgent = _prompt("patient", 3000), request("urgent", prompt_tokens=3000, ttft_s=5)
    assert fleet.submit(patient, urgent) == []
    assert [d.request_id for d in fleet.begin(busy)] == ["urgent"]


def test_dynamo_shares_out_between_classes_by_their_quanta() -> None:
    """Completions may send 8,000 tokens in each round, agents 1,000: of the first twenty requests
    of 2,000 tokens few are agents', but not none."""
    fleet = _Fleet("dynamo-edf", "a")
    pending = fleet.submit(_prompt("busy", 3000))
    for n in range(40):
        for task in (Task.COMPLETION, Task.AGENT):
            assert fleet.submit(replace(_prompt(f"{task}{n}", 2100), task=task)) == []
    sent: list[str] = []
    while len(sent) < 20:
        pending = fleet.begin(pending.pop(), now=0.1 + len(sent))
        sent += [d.request_id for d in pending]
    agents = sum(name.startswith("agent") for name in sent)
    assert 1 <= agents <= 4


def test_dynamo_forgets_what_was_withdrawn() -> None:
    fleet = _Fleet("dynamo-edf", "a")
    (busy,) = fleet.submit(_prompt("busy", 3000))
    assert fleet.submit(_prompt("gone", 3000), _prompt("stays", 3000)) == []
    fleet.scheduler.handle(Cancelled("gone"), 0.05)
    assert [d.request_id for d in fleet.begin(busy)] == ["stays"]


def test_a_session_keeps_its_replica() -> None:
    fleet = _Fleet("consistent-hash", "abcd")
    places = [fleet.submit(_session(f"r{n}", f"s{n % 8}"))[0].replica_id for n in range(16)]
    assert len(set(places)) > 1
    assert places[:8] == places[8:]


def test_few_sessions_move_when_a_replica_goes() -> None:
    fleet = _Fleet("consistent-hash", "abcde")

    def places() -> dict[int, str]:
        found: dict[int, str] = {}
        for n in range(100):
            (sent,) = fleet.submit(_session(f"{n}", f"s{n}"))
            fleet.scheduler.handle(Cancelled(sent.request_id), 0.0)
            found[n] = sent.replica_id
        return found

    before = places()
    fleet.scheduler.handle(ReplicaDown("c"), 0.0)
    after = places()
    assert {n for n in before if before[n] != after[n]} == {n for n in before if before[n] == "c"}


def test_a_replica_takes_no_more_than_its_bound() -> None:
    fleet = _Fleet("consistent-hash", "abcd")
    placed = fleet.submit(*(_session(f"r{n}", "the same") for n in range(40)))
    counts = [sum(d.replica_id == name for d in placed) for name in "abcd"]
    assert max(counts) <= 1.25 * 41 / 4 + 1
    assert sorted(counts)[0] > 0


def test_without_a_session_the_head_of_the_prompt_stands_for_it() -> None:
    fleet = _Fleet("consistent-hash", "abcd")
    for head in range(8):
        prompts = [
            replace(_prompt(f"{head}-{n}", 800, head, 2, 3, 100 + n), origin=Origin())
            for n in range(2)
        ]
        first, second = fleet.submit(*prompts)
        assert first.replica_id == second.replica_id

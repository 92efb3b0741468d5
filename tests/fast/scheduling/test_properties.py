"""Whatever happens, in whatever order: no request is lost, none is answered twice, no limit breaks.

Hypothesis plays clients, replicas and the clock against the scheduler; the model beside it is a
dictionary of what must be true. Each story is replayed from its event log in the end.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cato_backend.requests import Request
from cato_backend.scheduling import (
    Abort,
    AttemptFailed,
    Cancelled,
    Cause,
    Dispatch,
    Eject,
    Event,
    Finished,
    Limits,
    LoadReported,
    OthersRunning,
    Progressed,
    Reason,
    Recall,
    Refusal,
    Reinstate,
    Reject,
    ReplicaAsleep,
    ReplicaChanged,
    ReplicaDown,
    ReplicaDraining,
    ReplicaResumed,
    ReplicaUp,
    Scheduler,
    Submitted,
    SyntheticTrial,
    SyntheticTrialEnded,
    WakeAt,
    Woke,
    make_policy,
)
from cato_backend.scheduling.journal import Opening, Pseudonyms, encode, encode_opening
from cato_backend.scheduling.replaying import replay
from cato_backend.wire.headers import Task
from tests.fast.scheduling.stories import MODEL, request

LIMITS = Limits(max_waiting=5, max_waiting_per_session=4, max_wait_s=30, max_attempts=3)
EXAMPLES = int(os.environ.get("CATO_EXAMPLES", "15"))
MAX_RUNNING = 2
LONG_TOKENS = 5000
"""A prompt that takes an engine of unknown law half a second."""
DOCUMENT = tuple(range(1, 60))
ANY: tuple[int | None, tuple[str, ...]] = (None, ())
SERVES = st.tuples(st.sampled_from([None, 500, 1000]), st.sampled_from([(), ("lora",)]))
"""A context and the names of adapters."""
TIMES = st.floats(0, 5, allow_nan=False)
PROMPTS = st.lists(st.integers(0, 1), max_size=4).map(
    lambda path: tuple(hash(tuple(path[: n + 1])) % 2**64 for n in range(len(path)))
)


@dataclass
class Live:
    """What the model knows of a live request: where it runs, if it runs."""

    request: Request
    replica: str | None = None
    attempt: int = 0
    warm: bool = False
    typed: bool = False
    tenant: str = ""
    session: str = ""
    started: bool = False
    """Whether its attempt has brought a token."""
    seen: bool = False
    """Whether any attempt has."""
    lost_unstarted: int = 0
    """Attempts in a row that ended on their replica before a token."""
    broken: int = 0
    """Attempts that ended without an answer, unless they were moved or found no room."""


@dataclass
class Out:
    """What the model knows of an ejected replica."""

    reason: Reason
    until: float
    trial: str | None = None
    synthetic: bool = False


class Fleet(RuleBasedStateMachine):
    policy = "round-robin"
    keeps_one_busy = False
    """Whether the policy may keep a request though a replica that runs something has room."""
    people_type = False
    """Whether what supersedes is a completion, with a long prompt that many share."""
    agents_ask = False
    """Whether some requests are agents' turns and some prompts are long."""
    max_running = MAX_RUNNING

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.live: dict[str, Live] = {}
        self.replicas: set[str] = set()
        self.count = 0
        self.log = [encode_opening(Opening(run="r", policy=self.policy, limits=LIMITS))]
        self.pseudonyms = Pseudonyms(b"key")
        self.draining: set[str] = set()
        self.serves: dict[str, tuple[int | None, tuple[str, ...]]] = {}
        self.out: dict[str, Out] = {}
        self.scheduler = Scheduler(make_policy(self.policy), LIMITS)

    def tell(self, event: Event) -> None:
        decisions = self.scheduler.handle(event, self.now)
        self.log.append(encode(self.pseudonyms.of(event), decisions, self.now))
        for decision in decisions:
            self.check(decision)

    def check(self, decision: object) -> None:
        match decision:
            case Dispatch(name, replica, attempt):
                live = self.live[name]
                assert live.replica is None, "dispatched while it runs"
                assert replica in self.replicas - self.draining
                assert self.fits(live, replica)
                assert attempt == live.attempt + 1
                live.replica, live.attempt, live.started = replica, attempt, False
                self.check_trial(name, replica)
            case Abort(name, attempt, moved):
                if name in self.live:  # A cancelled one has left already.
                    live = self.live[name]
                    assert live.attempt == attempt
                    assert not (moved and live.started), "moved though its answer has begun"
                    self.ended(name)
            case Recall(name, attempt):
                live = self.live[name]
                assert live.attempt == attempt
                assert live.started, "recalled, but there is nothing to continue"
            case Reject(name, refusal):
                live = self.live.pop(name)
                assert live.replica is None, "rejected while it runs"
                if refusal is Refusal.REPLICAS_DIED:
                    assert live.lost_unstarted >= 2, "an innocent request is refused"
                if refusal is Refusal.REPLICA_FAILED:
                    assert live.seen or live.broken >= LIMITS.max_attempts
            case Eject(name, reason, rest_s):
                self.out[name] = Out(reason, self.now + rest_s)
            case Reinstate(name):
                del self.out[name]
            case SyntheticTrial(name):
                assert self.out[name].reason is Reason.OVERDUE
                self.out[name].synthetic = True
            case WakeAt(time):
                assert time >= 0

    def fits(self, live: Live, name: str) -> bool:
        context, adapters = self.serves.get(name, ANY)
        request = live.request
        needed = request.context_tokens
        if live.attempt:  # Of what was emitted before, the model keeps no count.
            needed = 0
        return (context is None or needed <= context) and request.adapter in (*adapters, "")

    def check_trial(self, request: str, replica: str) -> None:
        out = self.out.get(replica)
        if out is not None:
            assert out.until <= self.now, "sent to an ejected replica"
            assert out.trial is None, "two requests try the same replica"
            assert not out.synthetic, "a request tries a replica that is being tried"
            out.trial = request

    def ended(self, name: str) -> None:
        """Its attempt is over."""
        live = self.live[name]
        out = self.out.get(live.replica or "")
        if out is not None and out.trial == name:
            out.trial = None
        live.replica = None

    def running(self) -> list[str]:
        return [name for name, live in self.live.items() if live.replica is not None]

    @rule(data=st.data(), document=st.sampled_from(["", "d1", "d2"]), supersede=st.booleans())
    def submit(self, data: st.DataObject, document: str, supersede: bool) -> None:
        self.count += 1
        free = next(n for n in range(self.count) if f"r{n}" not in self.live)
        new = request(
            f"r{free}",  # Ids are used again, as clients may do.
            arrival=self.now,
            ttft_s=data.draw(st.floats(0.1, 10)),
            worthless_after_s=data.draw(st.none() | st.floats(0.1, 5)),
            document=document,
            session=data.draw(st.sampled_from(["s1", "s2"])),
            tenant=data.draw(st.sampled_from(["t1", "t1", "t2"])),
            supersede=supersede,
            resumable=data.draw(st.booleans()),
        )
        new = replace(
            new,
            prompt_blocks=data.draw(PROMPTS),
            warm=data.draw(st.booleans()),
            streams=data.draw(st.booleans()),
            context_tokens=data.draw(st.sampled_from([0, 0, 800])),
            adapter=data.draw(st.sampled_from(["", "", "lora"])),
        )
        typed = self.people_type and supersede
        if typed:
            new = replace(new, task=Task.COMPLETION, prompt_tokens=9000, prompt_blocks=DOCUMENT)
        if self.agents_ask:
            task = data.draw(st.sampled_from([Task.GENERATION, Task.AGENT]))
            tokens = data.draw(st.sampled_from([100, LONG_TOKENS, 30_000, 150_000]))
            new = replace(new, task=task, prompt_tokens=tokens)
        self.live[new.id] = Live(
            new,
            warm=new.warm,
            typed=typed,
            tenant=new.origin.tenant,
            session=new.origin.session,
        )
        self.tell(Submitted(new))

    @rule(name=st.sampled_from("abc"), serves=SERVES)
    def change(self, name: str, serves: tuple[int | None, tuple[str, ...]]) -> None:
        if name in self.replicas:
            self.serves[name] = serves
        self.tell(ReplicaChanged(name, *serves))

    @rule(name=st.sampled_from("abc"), serves=SERVES)
    def toggle_replica(self, name: str, serves: tuple[int | None, tuple[str, ...]]) -> None:
        if name in self.replicas:
            self.replicas.remove(name)
            self.draining.discard(name)
            self.serves.pop(name, None)
            self.out.pop(name, None)
            for live in self.live.values():
                if live.replica == name:
                    live.broken += 1
                    live.lost_unstarted += not live.started
            self.tell(ReplicaDown(name))
        else:
            self.replicas.add(name)
            context, adapters = self.serves[name] = serves
            up = ReplicaUp(name, MODEL, self.max_running, context=context, adapters=adapters)
            self.tell(up)

    @rule(name=st.sampled_from("abc"))
    def drain(self, name: str) -> None:
        if name in self.replicas:
            self.draining.add(name)
        self.tell(ReplicaDraining(name))

    @rule(name=st.sampled_from("abc"))
    def sleep(self, name: str) -> None:
        if name in self.replicas:
            self.draining.add(name)
        self.tell(ReplicaAsleep(name))

    @rule(name=st.sampled_from("abc"))
    def resume(self, name: str) -> None:
        self.draining.discard(name)
        self.tell(ReplicaResumed(name))

    @rule(name=st.sampled_from("abc"), requests=st.integers(0, 3))
    def others(self, name: str, requests: int) -> None:
        self.tell(OthersRunning(name, requests))

    @rule(
        name=st.sampled_from("abc"),
        running=st.integers(0, 3),
        waiting=st.integers(0, 2),
        usage=st.none() | st.floats(0, 1),
        kv_tokens=st.none() | st.integers(1, 3000),
    )
    def load_reported(
        self,
        name: str,
        running: int,
        waiting: int,
        usage: float | None,
        kv_tokens: int | None,
    ) -> None:
        """Whatever the metrics show."""
        self.tell(LoadReported(name, running, waiting, usage, kv_tokens))

    @precondition(lambda self: self.running())
    @rule(data=st.data(), tokens=st.integers(0, 3))
    def progress(self, data: st.DataObject, tokens: int) -> None:
        name = data.draw(st.sampled_from(self.running()))
        prompt = data.draw(st.none() | st.integers(1, 200))
        cached = None if prompt is None else data.draw(st.integers(0, prompt))
        live = self.live[name]
        live.started, live.lost_unstarted = True, 0
        live.seen = live.seen or tokens > 0
        self.tell(Progressed(name, self.live[name].attempt, tokens, prompt, cached))

    @precondition(lambda self: self.running())
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self.running()))
        out = self.out.get(self.live[name].replica or "")
        if out is not None and out.reason is Reason.BUSY:
            out.until = self.now  # There is room again.
        self.ended(name)
        self.tell(Finished(name, self.live.pop(name).attempt))

    @precondition(lambda self: self.running())
    @rule(data=st.data(), resumable=st.booleans(), cause=st.sampled_from(Cause))
    def fail(self, data: st.DataObject, resumable: bool, cause: Cause) -> None:
        name = data.draw(st.sampled_from(self.running()))
        live = self.live[name]
        rest_s = data.draw(st.none() | st.floats(0, 20)) if cause is Cause.BUSY else None
        if cause in (Cause.ERROR, Cause.NOT_SENT):
            live.broken += 1
            live.lost_unstarted += not live.started
        self.ended(name)
        self.tell(AttemptFailed(name, live.attempt, resumable, cause, rest_s))

    @rule(name=st.sampled_from("abc"), seconds=st.none() | TIMES)
    def end_synthetic_trial(self, name: str, seconds: float | None) -> None:
        if name in self.out:
            self.out[name].synthetic = False
        self.tell(SyntheticTrialEnded(name, seconds))

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.live)))
        self.ended(name)
        del self.live[name]
        self.tell(Cancelled(name))

    @rule(passed=TIMES)
    def wait(self, passed: float) -> None:
        self.now += passed
        self.tell(Woke())

    @invariant()
    def ledger_is_the_truth(self) -> None:
        for load in self.scheduler.replicas:
            here = [live for live in self.live.values() if live.replica == load.replica_id]
            assert load.running == len(here) <= self.max_running
            assert load.suspended == (load.replica_id in self.out)
            assert (load.outstanding_tokens == 0) or here
            assert load.outstanding_tokens >= 0
            attempts = list(load.attempts.values())
            unstarted = [
                attempt
                for attempt in attempts
                if attempt.first_token_at is None and attempt.request.streams
            ]
            assert load.unstarted == len(unstarted)
            assert load.decoding == len(attempts) - len(unstarted) + load.others
            assert load.pending_prefill == sum(attempt.pending_prefill for attempt in unstarted)
            assert load.outstanding_tokens == sum(a.outstanding_tokens for a in attempts)
            assert sum(load.running_by_task.values()) == len(attempts)
            contexts = [a.prompt_tokens + a.emitted - a.resumed for a in attempts]
            assert load.kv_tokens == sum(contexts)

    @invariant()
    def nothing_is_lost(self) -> None:
        waiting = [name for name, live in self.live.items() if live.replica is None]
        assert self.scheduler.waiting(MODEL) == len(waiting)

    def crowd_of(self, one: Live) -> int:
        """Live requests of its token."""
        return sum(live.tenant == one.tenant for live in self.live.values())

    @invariant()
    def enough_stay_in_service(self) -> None:
        accepting = self.replicas - self.draining
        outliers = [n for n in accepting if n in self.out and self.out[n].reason != Reason.BUSY]
        share = math.ceil(len(accepting) * LIMITS.outliers.max_ejection_percent / 100)
        assert len(outliers) <= max(0, min(len(accepting) - 1, share))

    @staticmethod
    def may_be_kept(live: Live) -> bool:
        """Whether a policy may let the request wait beside an idle replica."""
        request = live.request
        shares_long = bool(request.prompt_blocks) and request.prompt_tokens >= LONG_TOKENS
        return live.warm or live.typed or shares_long

    @invariant()
    def nobody_waits_beside_an_idle_replica(self) -> None:
        kept_out = self.draining | self.out.keys()
        accepting = [r for r in self.scheduler.replicas if r.replica_id not in kept_out]
        # Others leave at least one slot, however many they are.
        slots = self.max_running
        most = 1 if self.keeps_one_busy else slots
        open_to = [r for r in accepting if r.running < min(most, max(1, slots - r.others))]
        waiting = [live for live in self.live.values() if live.replica is None]
        # One that a replica failed may wait for another one. Who only warms a cache may be kept by
        # a policy that tells it apart: behind any other, and for good once its time has passed. So
        # may a completion that is late: it waits for its document's replica. So may a long prompt:
        # it waits for the replica that holds its beginning, or computes it.
        kept = self.keeps_one_busy
        fresh = [w for w in waiting if not w.attempt and not (kept and self.may_be_kept(w))]
        # A flow with many requests may have to wait, so that others find a replica free.
        fresh = [w for w in fresh if self.crowd_of(w) < 3]
        assert not any(self.fits(live, r.replica_id) for live in fresh for r in open_to)

    def teardown(self) -> None:
        replayed = replay([self.log])
        assert replayed.difference is None
        assert replayed.events == len(self.log) - 1


class FleetOfLeastOutstanding(Fleet):
    policy = "least-outstanding-tokens"


class FleetOfAffinity(Fleet):
    policy = "prefix-affinity"


class FleetOfCato(Fleet):
    policy = "cato"
    keeps_one_busy = True

    def tell(self, event: Event) -> None:
        """A relegated request is considered again a millisecond later."""
        super().tell(event)
        self.now += 0.002
        super().tell(Woke())


class FleetOfTypists(FleetOfCato):
    people_type = True
    max_running = 6


class FleetOfAgents(FleetOfCato):
    agents_ask = True
    max_running = 6


TestRoundRobin = Fleet.TestCase
TestLeastOutstanding = FleetOfLeastOutstanding.TestCase
TestAffinity = FleetOfAffinity.TestCase
TestCato = FleetOfCato.TestCase
TestTypists = FleetOfTypists.TestCase
TestAgents = FleetOfAgents.TestCase
for case in (TestRoundRobin, TestLeastOutstanding, TestAffinity, TestCato, TestTypists, TestAgents):
    case.settings = settings(max_examples=EXAMPLES, stateful_step_count=40, deadline=None)
del case  # Else pytest would collect it as one more.

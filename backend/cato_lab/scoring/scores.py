"""The score of a run: the same for virtual and for real time (docs/workloads.md)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, nan

from cato_backend.profile_files.profile import Profile
from cato_backend.requests import USABLE_S
from cato_backend.wire.headers import Task
from cato_lab.scoring.outcome import Ending, Outcome
from cato_lab.scoring.statistics import percentile
from cato_lab.workloads.arrival import Arrival


def work_s(arrival: Arrival, profile: Profile) -> float:
    """Return seconds of a full engine that the request takes.

    Its share of steps filled to the limits.

    Neither the prefix cache nor how full the steps really were enters, so that good routing shows
    as more work done and not as less work to do; with many cache hits the sum may pass 100%.
    """
    prompt, output = arrival.prompt_tokens, arrival.output_tokens
    return _prefill_s(prompt, profile) + output * _token_s(prompt + output / 2, profile)


def _prefill_s(tokens: int, profile: Profile) -> float:
    """Return the prompt's share of steps that only prefill prompts like it."""
    chunk = profile.limits.max_num_batched_tokens
    together = chunk / tokens
    full_s = profile.law.seconds(chunk, max(1.0, together), chunk, chunk * min(tokens, chunk) / 2)
    return full_s * tokens / chunk


def _token_s(context: float, profile: Profile) -> float:
    """One output token's share of a step with every slot decoding, as far as the cache holds it."""
    slots = min(profile.limits.max_num_seqs, max(1.0, profile.limits.kv_tokens / context))
    return profile.law.seconds(slots, slots, slots * context) / slots


@dataclass(frozen=True, slots=True)
class Latencies:
    """A distribution over the requests that counted; infinite where no answer came."""

    curve: tuple[float, ...]
    """Seconds: the quantiles 0%, 1%, ... 100%; empty where there is nothing to tell."""

    @classmethod
    def of(cls, values: Iterable[float]) -> Latencies:
        """From values in any order."""
        ascending = sorted(values)
        shares = range(101) if ascending else range(0)
        return cls(tuple(percentile(ascending, share / 100) for share in shares))

    def at(self, percent: int) -> float:
        """Return the percentile; NaN where there is nothing to tell."""
        return self.curve[percent] if self.curve else nan


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One task's requests, or all of them."""

    requests: int
    """All that arrived."""
    counted: int
    """Requests that were still wanted at their deadline: goodput's denominator."""
    met: int
    ttft: Latencies
    e2e: Latencies
    tpot: Latencies
    """Over whole answers of two tokens and more."""
    queue: Latencies
    """Of requests that were sent to a replica; NaN where it is not reported."""
    usable: float
    """Share of those still wanted after `USABLE_S` whose whole answer was there by then."""
    met_by_first_token: int
    """TTFT (or E2E) within its target, whatever the TPOT was: as other routers' tables count."""
    endings: Mapping[str, int]
    """How the requests ended; the refused and the failed by their reason."""
    misses: Mapping[str, int]
    """Why the counted that did not meet their target did not."""
    relegated: int
    cached_share: float
    """Prompt tokens found in prefix caches over all that reached an engine; NaN if unknown."""

    @property
    def goodput(self) -> float:
        """The share of the counted that met their target; NaN of none."""
        return self.met / self.counted if self.counted else nan


@dataclass(frozen=True, slots=True)
class Capacity:
    """The capacity that was paid for, and its used part; None where it is not known."""

    replica_s: float
    profile: Profile
    busy_s: float | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """A whole run."""

    duration_s: float
    overall: ClassScore
    classes: Mapping[Task, ClassScore]
    utilization: float = nan
    """Profile-priced work of the requests that met their target over the capacity paid for."""
    busy_share: float = nan

    @property
    def goodput_rate(self) -> float:
        """Requests per second that met their target."""
        return self.overall.met / self.duration_s


def score(
    outcomes: Sequence[Outcome],
    duration_s: float,
    capacity: Capacity | None = None,
    warmup_s: float = 0.0,
) -> Score:
    """Score the requests that arrived at or after `warmup_s`."""
    judged = [o for o in outcomes if o.arrival.time >= warmup_s]
    by_task: dict[Task, list[Outcome]] = {}
    for outcome in judged:
        by_task.setdefault(outcome.arrival.task, []).append(outcome)
    return Score(
        duration_s=duration_s - warmup_s,
        overall=_class_score(judged),
        classes={task: _class_score(by_task[task]) for task in Task if task in by_task},
        utilization=_utilization(judged, capacity, warmup_s / duration_s),
        busy_share=_busy_share(capacity),
    )


def _class_score(outcomes: Sequence[Outcome]) -> ClassScore:
    counted = [o for o in outcomes if _counts(o)]
    met = [o for o in counted if o.met]
    return ClassScore(
        requests=len(outcomes),
        counted=len(counted),
        met=len(met),
        ttft=Latencies.of(_or_never(o.first_token_s) for o in counted),
        e2e=Latencies.of(_or_never(o.e2e_s) for o in counted if not _left_midway(o)),
        tpot=Latencies.of(o.tpot_s for o in counted if o.tpot_s is not None),
        queue=Latencies.of(o.queue_s for o in counted if o.queue_s is not None),
        usable=_usable_share(outcomes),
        met_by_first_token=sum(o.met_by_first_token for o in counted),
        endings=Counter(_ending(o) for o in outcomes),
        misses=Counter(_miss(o) for o in counted if not o.met),
        relegated=sum(o.relegated for o in outcomes),
        cached_share=_cached_share(outcomes),
    )


def _counts(outcome: Outcome) -> bool:
    return outcome.ending is Ending.ENOUGH or outcome.arrival.counts


def _or_never(seconds: float | None) -> float:
    return inf if seconds is None else seconds


def _left_midway(outcome: Outcome) -> bool:
    """Return whether the client left before the end, so that the whole time is not known."""
    return outcome.ending in (Ending.CANCELLED, Ending.ENOUGH)


def _usable_share(outcomes: Sequence[Outcome]) -> float:
    wanted = [
        o for o in outcomes if (patience := o.arrival.cancel_after_s) is None or patience > USABLE_S
    ]
    usable = sum(_or_never(o.e2e_s) <= USABLE_S for o in wanted)
    return usable / len(wanted) if wanted else nan


def _ending(outcome: Outcome) -> str:
    return f"{outcome.ending}: {outcome.reason}" if outcome.reason else outcome.ending.value


def _miss(outcome: Outcome) -> str:
    if outcome.ending in (Ending.REJECTED, Ending.FAILED):
        return _ending(outcome)
    return "late, relegated" if outcome.relegated else "late"


def _cached_share(outcomes: Iterable[Outcome]) -> float:
    cached = [(o.cached_tokens, o.arrival.prompt_tokens) for o in outcomes]
    known = [(found, prompt) for found, prompt in cached if found is not None]
    prompts = sum(prompt for _, prompt in known)
    return sum(found for found, _ in known) / prompts if prompts else nan


def _utilization(
    outcomes: Iterable[Outcome], capacity: Capacity | None, warm_share: float
) -> float:
    if capacity is None:
        return nan
    done_s = sum(work_s(o.arrival, capacity.profile) for o in outcomes if _counts(o) and o.met)
    return done_s / (capacity.replica_s * (1 - warm_share))


def _busy_share(capacity: Capacity | None) -> float:
    if capacity is None or capacity.busy_s is None:
        return nan
    return capacity.busy_s / capacity.replica_s

"""What the replicas of a world are, and what the router is told of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from math import exp, log

from numpy.random import Generator

from cato_backend.profile_files.files import load_profile, shipped_folder
from cato_backend.profile_files.profile import EngineLimits, Profile, StepLaw
from cato_lab.simulation.fleet import REFERENCE, Member, Slowdown, Speed

MODEL = "world"
DEFAULT_MAX_RUNNING = 64
"""What `cato serve` sends to a replica at once whose limits it was not told."""
_SEQUENCES = (16, 32, 64, 128, 256)
_BATCHED_TOKENS = (512, 1024, 2048, 4096, 8192)
_KV_TOKENS = (24_000, 1_000_000)
_LONG_CONTEXT = 200_000
"""KV tokens of replicas that also serve prompts of 20,000 tokens and more."""
_DRAWN = 5
"""Kinds of which the one is taken whose speed suits the number of replicas."""
_RATIO = (0.5, 3.0)
"""How many times as long as told a step takes, where the router is told a wrong scale."""


class Told(StrEnum):
    """What the router is told of the step laws."""

    TRUTH = "truth"
    SCALE = "wrong scale"
    TERMS = "wrong terms"
    SHAPE = "wrong shape"
    NOTHING = "nothing"


class Alike(StrEnum):
    """How much the replicas of a fleet differ."""

    ALIKE = "alike"
    TWO_KINDS = "two kinds"
    DIFFERENT = "all different"


@dataclass(frozen=True, slots=True)
class Trouble:
    """What goes wrong with the replicas while the world runs."""

    noise: float
    """Standard deviation of the logarithm of a step's duration."""
    slowed: tuple[tuple[int, Slowdown], ...]
    """Replicas by index, and when they compute more slowly."""
    kills: tuple[tuple[float, int], ...]
    starts: tuple[tuple[float, int], ...]
    """Times at which replicas (by index) come up that are not there at the start."""


@cache
def _shipped() -> tuple[Profile, ...]:
    """Profiles of GPUs that ship with CATO, in the order of their paths."""
    paths = sorted(shipped_folder().glob("*/*.json"))
    return tuple(load_profile(path) for path in paths if not path.parent.name.startswith("cpu-"))


def draw_kind(rate: float, long_context: bool, rng: Generator) -> Profile:
    """Of a few kinds of replicas the one that is nearest to so many requests per second."""
    drawn = [draw_replica(long_context, rng) for _ in range(_DRAWN)]
    return min(drawn, key=lambda kind: abs(log(rate * _request_s(kind))))


def draw_replica(long_context: bool, rng: Generator) -> Profile:
    """One kind of replica: a shipped profile, each term of its law distorted."""
    shipped = (*_shipped(), REFERENCE)
    chosen = shipped[int(rng.integers(len(shipped)))]
    law = _distorted(chosen.law, 0.8 if rng.random() < 0.2 else 0.3, rng)
    if rng.random() < 0.35:
        law = replace(law, form="additive" if law.form == "max" else "max")
    sequences = _SEQUENCES[int(rng.integers(len(_SEQUENCES)))]
    batched = _BATCHED_TOKENS[int(rng.integers(len(_BATCHED_TOKENS)))]
    low, high = (_LONG_CONTEXT, 2 * _KV_TOKENS[1]) if long_context else _KV_TOKENS
    limits = EngineLimits(
        max_num_seqs=min(sequences, batched),
        max_num_batched_tokens=batched,
        kv_tokens=round(exp(rng.uniform(log(low), log(high)))),
        max_model_len=_LONG_CONTEXT if long_context else EngineLimits().max_model_len,
    )
    return Profile(MODEL, "sampled", law, limits, start_s=float(rng.uniform(8.0, 40.0)))


def slower(profile: Profile, times: float) -> Profile:
    """The same replica, every step of it so many times as long."""
    return replace(profile, law=_scaled(profile.law, [times] * 6))


def draw_members(
    kind: Profile, alike: Alike, count: int, long_context: bool, rng: Generator
) -> tuple[Profile, ...]:
    """The true replicas of a fleet of which `kind` is the first."""
    if alike is Alike.DIFFERENT:
        others = [slower(kind, float(rng.lognormal(0, 0.35))) for _ in range(count - 1)]
        return (kind, *others)
    if alike is Alike.TWO_KINDS and count > 1:
        other = _of_similar_speed(draw_replica(long_context, rng), kind, rng)
        few = int(rng.integers(1, count))
        return (kind,) * (count - few) + (other,) * few
    return (kind,) * count


def told_of(
    kinds: tuple[Profile, ...], told: Told, limits_told: bool, rng: Generator
) -> dict[Profile, Profile]:
    """What the router is told, by true replica; the engine's defaults where limits are untold."""
    ratio = exp(rng.uniform(log(_RATIO[0]), log(_RATIO[1])))
    found: dict[Profile, Profile] = {}
    for kind in dict.fromkeys(kinds):
        law = _told_law(kind.law, told, ratio, rng)
        found[kind] = replace(kind, law=law, limits=kind.limits if limits_told else EngineLimits())
    return found


def member(
    true: Profile, told: Profile | None, speed: Speed, ready_s: float, most: int = 256
) -> Member:
    """A replica as the simulator takes it."""
    running = DEFAULT_MAX_RUNNING if told is None else min(most, told.limits.max_num_seqs)
    return Member(true, told, running, speed, ready_s)


def _told_law(law: StepLaw, told: Told, ratio: float, rng: Generator) -> StepLaw:
    match told:
        case Told.SCALE:
            return _scaled(law, [1 / ratio] * 6)
        case Told.TERMS:
            return _distorted(law, 0.6, rng)
        case Told.SHAPE:
            simple = StepLaw("additive", law.base + law.weights, per_new_token=law.per_new_token)
            other = replace(law, form="additive" if law.form == "max" else "max")
            return simple if rng.random() < 0.5 else other
        case Told.TRUTH | Told.NOTHING:
            return law


def _distorted(law: StepLaw, sigma: float, rng: Generator) -> StepLaw:
    return _scaled(law, [float(factor) for factor in rng.lognormal(0, sigma, 6)])


def _scaled(law: StepLaw, factors: list[float]) -> StepLaw:
    """Each term times its own factor."""
    return StepLaw(
        law.form,
        base=law.base * factors[0],
        weights=law.weights * factors[1],
        per_new_token=law.per_new_token * factors[2],
        per_sequence=law.per_sequence * factors[3],
        per_kv_token=law.per_kv_token * factors[4],
        per_attention=law.per_attention * factors[5],
    )


def _of_similar_speed(other: Profile, kind: Profile, rng: Generator) -> Profile:
    """Another kind whose prompts take 0.5 to 2 times as long: a model runs on GPUs of one age."""
    wanted = exp(rng.uniform(log(0.5), log(2.0)))
    return slower(other, wanted * _step_s(kind) / _step_s(other))


def _request_s(profile: Profile) -> float:
    """What a usual request takes of a busy replica: a prompt of 500 tokens and 150 of output."""
    law = profile.law
    decode_s = law.seconds(16, 16, 16_000)
    return law.seconds(516, 17, 17_000, 125_000) - decode_s + 150 / 16 * decode_s


def _step_s(profile: Profile) -> float:
    """A step of 16 sequences with a prompt of 500 tokens."""
    return profile.law.seconds(516, 17, 17_000, 125_000)

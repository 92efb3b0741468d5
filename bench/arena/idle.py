"""What a replica can do: how long requests take on it alone, and how many it can bear."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cato_backend.engine_model import Engine, Job, Timeline
from cato_backend.profile_files.profile import Profile
from cato_lab.workloads import Arrival

_FINISHED = 0.8
"""Share of a batch after whose end the rest no longer fills the engine."""


class Alone(NamedTuple):
    """One request on an idle replica. Seconds from sending it."""

    first_token_s: float
    last_token_s: float


def alone(arrivals: Sequence[Arrival], profile: Profile) -> list[Alone]:
    """One after the other on one replica, which keeps their prompts in its cache."""
    timeline, now = Timeline(Engine(profile.law, profile.limits)), 0.0
    found: list[Alone] = []
    for arrival in arrivals:
        timeline.submit(_job(arrival), now)
        first = last = now
        while (ends := timeline.next_time) is not None:
            for passed in timeline.advance(ends):
                first = passed.time if passed.end.prefilled else first
                last = passed.time
        found.append(Alone(first - now, last - now))
        now = last
    return found


def prompt_s(profile: Profile, tokens: int) -> float:
    """Seconds in which an idle replica computes a prompt, in full chunks."""
    chunk = min(tokens, profile.limits.max_num_batched_tokens)
    return tokens / chunk * profile.law.seconds(chunk, 1, tokens / 2, chunk * tokens / 2)


def throughput(arrivals: Sequence[Arrival], profile: Profile) -> float:
    """Requests per second where all of them come at once."""
    timeline = Timeline(Engine(profile.law, profile.limits))
    for arrival in arrivals:
        timeline.submit(_job(arrival), 0.0)
    finished = 0
    while (ends := timeline.next_time) is not None:
        for passed in timeline.advance(ends):
            finished += len(passed.end.finished)
        if finished >= _FINISHED * len(arrivals):
            return finished / ends
    raise ValueError("no request")


def _job(arrival: Arrival) -> Job:
    return Job(arrival.id, arrival.prompt_tokens, arrival.output_tokens, arrival.blocks)

"""What a request is worth in engine time, on any replica: the measure of utilization."""

from __future__ import annotations

from cato_backend.profile_files.profile import Profile
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

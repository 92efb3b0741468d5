"""Synthetic trials: short requests of our own to replicas that may hang."""

from __future__ import annotations

from cato_backend.scheduling.replica import ReplicaLoad

TRIAL_TOKENS = 4
"""Length of a trial's prompt, approximately."""
_NAME = " trial"
"""Its name among the requests of a replica; no other name begins with a space."""


def begin_trial(replica: ReplicaLoad, now: float) -> None:
    """Record in the replica's learned law that a trial is sent; an earlier one is given up."""
    replica.learned.left(_NAME)
    idle = not replica.running and not replica.others
    replica.learned.dispatched(_NAME, TRIAL_TOKENS, 0, now, idle=idle)


def end_trial(replica: ReplicaLoad, *, well: bool, now: float) -> None:
    """Record in the replica's learned law that the trial has ended, by a token or not."""
    if well:
        replica.learned.tokens(_NAME, 1, now, replica.decoding, replica.kv_tokens)
    replica.learned.left(_NAME)

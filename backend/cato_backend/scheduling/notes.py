"""What an event log holds beside events: what the runtime knows and the scheduler is not told."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias


class PredictionNote(NamedTuple):
    """What was predicted of an attempt at its dispatch, in seconds from then on."""

    request_id: str
    attempt: int
    promised_s: float
    """To the promised event: the first token, or the last one under an end-to-end target."""
    bound_s: float
    """Not exceeded by it nine times in ten."""
    first_token_s: float
    alone_s: float
    """To the first token, were nothing else on the replica: its own prefill."""


class OutcomeNote(NamedTuple):
    """How a request ended for its client: `met`, `late`, `enough`, `cancelled`, or a refusal."""

    request_id: str
    outcome: str


Note: TypeAlias = PredictionNote | OutcomeNote

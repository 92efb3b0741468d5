"""`POST /v1/feedback`: what became of an answer in the editor. Never a character of code.

`shown` once the answer is on the screen; then one of `accepted`, `partially_accepted` (again for
each further part) and `rejected`; `kept_30s` and `kept_5min` if most of what was accepted is still
there after that time. `GET /v1/feedback` gives the token's own back as JSON lines.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

FEEDBACK_PATH = "/v1/feedback"


class FeedbackEvent(StrEnum):
    """What happened to the answer."""

    SHOWN = "shown"
    ACCEPTED = "accepted"
    PARTIALLY_ACCEPTED = "partially_accepted"
    REJECTED = "rejected"
    KEPT_30S = "kept_30s"
    KEPT_5MIN = "kept_5min"


@dataclass(frozen=True, slots=True)
class Feedback:
    """One event of one answer."""

    request_id: str
    """The `x-request-id` of the answer."""
    event: FeedbackEvent
    shown_chars: int | None = None
    """Length of what was shown."""
    accepted_chars: int | None = None
    """Length of what was taken into the document; of a `kept_*`, what is left of it."""
    latency_ms: float | None = None
    """From the keystroke or command to the moment when it was shown."""
    language: str | None = None
    """LSP language identifier."""

    def body(self) -> dict[str, Any]:
        """Return the JSON body, with what is absent left out."""
        return {name: value for name, value in asdict(self).items() if value is not None}

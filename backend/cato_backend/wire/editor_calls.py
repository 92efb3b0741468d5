"""The two calls that only editors make: `POST /v1/warm` and `POST /v1/feedback`.

`/v1/warm` fills the prefix cache with a prompt that is likely to come. The body is that of
`/v1/completions`, only `prompt`, `suffix`, `model`, `cato` and `max_tokens` (of the completions to
come: it decides where a long prompt is cut). 200 `warmed` with the engine's token counts, 202
`skipped` with a `reason` where others had to go first, 429 above the session's rate.

`/v1/feedback` tells the outcome of an answer in the editor, and never a character of code. `shown`
once the answer is on the screen; then one of `accepted`, `partially_accepted` (again for each
further part) and `rejected`; `kept_30s` and `kept_5min` if most of what was accepted is still there
after that time. `GET /v1/feedback` gives the token's own back as JSON lines.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

WARM_PATH = "/v1/warm"
FEEDBACK_PATH = "/v1/feedback"


class WarmStatus(StrEnum):
    """Outcome of a warm-up."""

    WARMED = "warmed"
    SKIPPED = "skipped"


class FeedbackEvent(StrEnum):
    """Events of an answer."""

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
    shown_lines: int | None = None
    """Lines of what was shown."""
    accepted_lines: int | None = None
    """Lines of what was taken into the document."""
    latency_ms: float | None = None
    """From the keystroke or command to the moment when it was shown."""
    language: str | None = None
    """LSP language identifier."""
    editor: str | None = None
    """The editor's name, as it names itself."""

    def body(self) -> dict[str, Any]:
        """Return the JSON body, with what is absent left out."""
        return {name: value for name, value in asdict(self).items() if value is not None}

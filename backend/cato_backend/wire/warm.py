"""`POST /v1/warm`: fill the prefix cache with a prompt that is likely to come.

The body is that of `/v1/completions`, only `prompt`, `suffix`, `model`, `cato` and `max_tokens` (of
the completions to come: it decides where a long prompt is cut). 200 `warmed` with the engine's
token counts, 202 `skipped` with a `reason` where others had to go first, 429 above the session's
rate.
"""

from __future__ import annotations

from enum import StrEnum

WARM_PATH = "/v1/warm"


class WarmStatus(StrEnum):
    """What was done."""

    WARMED = "warmed"
    SKIPPED = "skipped"

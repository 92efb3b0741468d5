"""One client's figures."""

from __future__ import annotations

from dataclasses import dataclass

from bench.typing.engines import Counts
from bench.typing.screen import Seen

COLUMNS = (
    "client",
    "requests",
    "engine tokens",
    "engine ms per key",
    "prefix hits",
    "right in 300 ms",
    "in 500 ms",
    "wrong in 500 ms",
    "anything in 500 ms",
    "characters a right one has",
    "characters saved",
    "characters saved per engine second",
    "shown",
    "wrong",
    "stale",
    "goodput",
    "late steps",
)
HEADER = f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}"


@dataclass(frozen=True, slots=True)
class Row:
    """Rates are per 1,000 keys; shares are of pauses, of prompt tokens, of completions."""

    client: str
    developers: int
    keys: int
    pauses: int
    requests: float
    engine_tokens: float
    """Computed: of prompts, less what was cached, and generated."""
    generated_tokens: float
    engine_ms_per_key: float
    prefix_hits: float
    right_in_300_ms: float
    right_in_500_ms: float
    wrong_in_300_ms: float
    wrong_in_500_ms: float
    right_characters: float
    """Of a right suggestion on the screen after half a second."""
    something_in_500_ms: float
    saved: float
    """Share of the characters that came by accepted suggestions; 0 where none is accepted."""
    saved_per_engine_s: float
    shown: float
    wrong: float
    stale: float
    goodput: float
    late_steps: float

    @classmethod
    def of(cls, client: str, seen: Seen, counts: Counts, developers: int) -> Row:
        """From what was seen and counted."""
        per_key = 1000 / max(seen.keys, 1)
        computed = counts.prompt_tokens - counts.cached_tokens + counts.generated_tokens
        return cls(
            client=client,
            developers=developers,
            keys=seen.keys,
            pauses=seen.pauses,
            requests=counts.requests * per_key,
            engine_tokens=computed * per_key,
            generated_tokens=counts.generated_tokens * per_key,
            engine_ms_per_key=counts.busy_s * per_key,
            prefix_hits=counts.cached_tokens / max(counts.prompt_tokens, 1),
            right_in_300_ms=seen.right[0.3] / max(seen.pauses, 1),
            right_in_500_ms=seen.right[0.5] / max(seen.pauses, 1),
            wrong_in_300_ms=seen.wrong_at[0.3] / max(seen.pauses, 1),
            wrong_in_500_ms=seen.wrong_at[0.5] / max(seen.pauses, 1),
            right_characters=seen.right_characters / max(seen.right[0.5], 1),
            something_in_500_ms=seen.something[0.5] / max(seen.pauses, 1),
            saved=seen.saved_characters / max(seen.saved_characters + seen.typed_characters, 1),
            saved_per_engine_s=seen.saved_characters / max(counts.busy_s, 1e-9),
            shown=seen.shown * per_key,
            wrong=seen.wrong * per_key,
            stale=seen.stale * per_key,
            goodput=counts.good / max(counts.judged, 1),
            late_steps=counts.late_steps / max(counts.steps, 1),
        )

    def __str__(self) -> str:
        cells = (
            self.client,
            f"{self.requests:.0f}",
            f"{self.engine_tokens:.0f}",
            f"{self.engine_ms_per_key:.1f}",
            f"{self.prefix_hits:.0%}",
            f"{self.right_in_300_ms:.0%}",
            f"{self.right_in_500_ms:.0%}",
            f"{self.wrong_in_500_ms:.0%}",
            f"{self.something_in_500_ms:.0%}",
            f"{self.right_characters:.1f}",
            f"{self.saved:.0%}",
            f"{self.saved_per_engine_s:.0f}",
            f"{self.shown:.0f}",
            f"{self.wrong:.0f}",
            f"{self.stale:.0f}",
            f"{self.goodput:.0%}",
            f"{self.late_steps:.1%}",
        )
        return f"| {' | '.join(cells)} |"

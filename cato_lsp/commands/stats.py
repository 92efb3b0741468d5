"""`cato stats`: outcomes of suggestions on this machine, and requests that were saved."""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cato_lsp.suggestions.outcomes import events, history_path

SUMMARY = "show how many suggestions you accepted, how fast they came, and what they spared you"
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Stats:
    """Sums over the events of a period. Shares are None where there is nothing to divide by."""

    shown: int
    accepted: int
    partially_accepted: int
    rejected: int
    kept_30s: int
    kept_5min: int
    accepted_characters: int
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    asked: int
    reused: int
    """Answers to the editor for which the backend was not asked."""
    prefix_hit_rate: float | None
    tokens_saved: int | None
    """Prompt tokens that the engine would have had to look at for them, at the mean of the rest."""

    @property
    def acceptance(self) -> float | None:
        """The share of shown suggestions that were accepted, in whole or in part."""
        taken = self.accepted + self.partially_accepted
        return min(taken / self.shown, 1.0) if self.shown else None


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--days", type=_days, default=30, metavar="N", help="number of days")
    parser.add_argument("--language", help="only this LSP language id")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = 0.0
    if not 0 < days < float("inf"):
        raise argparse.ArgumentTypeError(f"got {text}, expected a number of days above 0")
    return days


def run(arguments: argparse.Namespace) -> int:
    """Print the sums; return 1 if nothing is stored yet."""
    since_s = time.time() - arguments.days * DAY_S
    chosen = [event for event in events() if _counts(event, since_s, arguments.language)]
    if not chosen:
        print(f"no suggestions are recorded in {history_path()} for this time")
        return 1
    stats = stats_of(chosen)
    print(
        json.dumps({**asdict(stats), "acceptance": stats.acceptance})
        if arguments.json
        else _table(stats)
    )
    return 0


def stats_of(chosen: Sequence[dict[str, Any]]) -> Stats:
    """Sum up events as they are stored."""
    named = Counter(str(event.get("event")) for event in chosen)
    # An acceptance is told once in parts and once as a whole; a request counts once.
    partially = {e.get("request_id") for e in chosen if e.get("event") == "partially_accepted"}
    wholly = {e.get("request_id") for e in chosen if e.get("event") == "accepted"}
    latencies = sorted(
        float(event["latency_ms"])
        for event in chosen
        if event.get("event") == "shown" and event.get("latency_ms") is not None
    )
    usage = _usage(chosen)
    prompt, told = usage["prompt_tokens"], usage["told"]
    reused = usage["from_cache"] + usage["from_stream"]
    return Stats(
        shown=named["shown"],
        accepted=len(wholly),
        partially_accepted=len(partially - wholly),
        rejected=named["rejected"],
        kept_30s=named["kept_30s"],
        kept_5min=named["kept_5min"],
        accepted_characters=_accepted_characters(chosen),
        latency_p50_ms=_quantile(latencies, 0.5),
        latency_p95_ms=_quantile(latencies, 0.95),
        asked=usage["asked"],
        reused=reused,
        prefix_hit_rate=usage["cached_tokens"] / prompt if prompt else None,
        tokens_saved=round(reused * prompt / told) if told else None,
    )


def _counts(event: dict[str, Any], since_s: float, language: str | None) -> bool:
    in_time = float(event.get("time_s", 0)) >= since_s
    return in_time and (language is None or event.get("language", language) == language)


def _accepted_characters(chosen: Iterable[dict[str, Any]]) -> int:
    """Sum up what was accepted of each suggestion.

    Each acceptance tells how much of it is accepted by then.
    """
    longest: dict[object, int] = {}
    for event in chosen:
        chars = event.get("accepted_chars")
        if event.get("event") in {"accepted", "partially_accepted"} and isinstance(chars, int):
            request = event.get("request_id")
            longest[request] = max(longest.get(request, 0), chars)
    return sum(longest.values())


def _usage(chosen: Iterable[dict[str, Any]]) -> Counter[str]:
    """Sum up the counts of all sessions; each one's last event holds its sums."""
    last = {str(e.get("session")): e for e in chosen if e.get("event") == "usage"}
    sums: Counter[str] = Counter()
    for event in last.values():
        sums.update({k: v for k, v in event.items() if isinstance(v, int)})
    return sums


def _quantile(values: Sequence[float], share: float) -> float | None:
    return values[min(int(len(values) * share), len(values) - 1)] if values else None


def _table(stats: Stats) -> str:
    rows = {
        "shown": str(stats.shown),
        "accepted": f"{stats.accepted} whole, {stats.partially_accepted} in part"
        f" ({_share(stats.acceptance)} of what was shown)",
        "rejected": str(stats.rejected),
        "still there": f"{stats.kept_30s} after 30 s, {stats.kept_5min} after 5 min",
        "latency": f"p50 {_ms(stats.latency_p50_ms)}, p95 {_ms(stats.latency_p95_ms)}",
        "requests": f"{stats.asked} asked, {stats.reused} answered at once from what was known",
        "prefix cache": f"{_share(stats.prefix_hit_rate)} of prompt tokens were computed before",
        "not typed": f"{stats.accepted_characters:,} characters came from suggestions",
    }
    return "\n".join(f"{name:13} {value}" for name, value in rows.items())


def _share(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.0%}"


def _ms(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.0f} ms"

"""Claims on the gateway: what it adds, what a decision costs, what clients see of faults."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from typing import Any

from bench.report.claims import Claim, Target, middle, single

Document = Mapping[str, Any]
_ADDED = (
    ("added TTFT p50", "ttft_p50", 1.0),
    ("added TTFT p99", "ttft_p99", 5.0),
    ("added to a token's way p50", "transit_p50", 1.0),
    ("added to a token's way p99", "transit_p99", 5.0),
)


def added(document: Document) -> Iterator[Claim]:
    """Yield the time that the gateway adds, by the number of streams, and its costs."""
    for row in document["rows"]:
        streams = f"{row['streams']} streams" if row["streams"] > 1 else "1 stream"
        pairs = list(zip(row["direct"], row["through"], strict=True))
        for name, field, most in _ADDED:
            values = [through[field] - direct[field] for direct, through in pairs]
            yield middle(f"{name}, {streams}", values, "ms", Target(most=most))
        yield middle(
            f"CPU time per token, {streams}", row["gateway_cpu_us_per_token"], "µs", None, 0
        )
        starved = row["gateway_starved_percent"]
        yield middle(f"gateway ready without a core, {streams}", starved, "% of the time", None, 0)
    rates = [1000 / cost for cost in document["cpu_ms_per_request"]]
    yield middle("requests/s that one core carries", rates, "", None, 0)
    yield single("memory at most", document["memory_mib"]["most"], "MiB", digits=0)


def fronts(document: Document) -> Iterator[Claim]:
    """Yield what front processes take off the scheduler's process, and what they add."""
    for policy, told in document["deciding"].items():
        rate = told["requests_per_s"]
        yield single(f"{policy}: requests/s that one core decides", rate, "", None, 0)
    one, *others = document["rows"]
    whole = one["scheduler_ms_per_request"]
    yield middle("one gateway: CPU time of a request", whole, "ms")
    for row in others:
        name, inside = f"{row['gateways']} gateways", row["scheduler_ms_per_request"]
        yield middle(f"{name}: of a request, in the scheduler's process", inside, "ms")
        yield middle(f"{name}: of a request, in the fronts", row["fronts_ms_per_request"], "ms")
        yield middle(
            f"{name}: of a token, in the scheduler's process",
            row["scheduler_us_per_token"],
            "µs",
            None,
            0,
        )
        gained = [before / after for before, after in zip(whole, inside, strict=True)]
        most = Target(least=3.0)
        yield middle(f"{name}: requests/s with cores enough, by one", gained, "times", most)
        pairs = zip(row["ttft_p50_ms"], one["ttft_p50_ms"], strict=True)
        added_ms = [ours - theirs for ours, theirs in pairs]
        yield middle(f"{name}: added TTFT p50, 1 stream", added_ms, "ms", Target(most=1.0))


def pair(document: Document) -> Iterator[Claim]:
    """Yield the CPU time of a request by that of the other checkout: the median of the rounds and
    the middle half."""
    for burst, rounds in document["cpu_ms"].items():
        ratios = [second / first for first, second in rounds]
        low, value, high = statistics.quantiles(ratios, n=4)
        target = Target(most=1.05)
        figure = f"{value:.2f} (middle half {low:.2f} to {high:.2f})"
        statement = f"CPU time of a request by that at 21b8651, {burst}"
        yield Claim(statement, figure, str(target), target.verdict(value))


def decisions(document: Document) -> Iterator[Claim]:
    """Yield the 99th percentile of a decision, by policy."""
    for policy, found in document["policies"].items():
        for kind, event in (("Submitted p99", "a new request"), ("p99", "any event")):
            target = Target(most=1000) if policy == "cato" else None
            yield single(f"{policy}: decision at {event}, p99", found[kind], "µs", target, 0)


def faults(document: Document) -> Iterator[Claim]:
    """Yield lost requests over all kinds of faults and seeds, for each system."""
    for system in dict.fromkeys(run["system"] for run in document["runs"]):
        ends = [run["ends"] for run in document["runs"] if run["system"] == system]
        asked = sum(sum(each.values()) for each in ends)
        lost = asked - sum(each["whole"] for each in ends)
        silent = lost - sum(each["told"] for each in ends)
        yield Claim(f"{system}: requests without the whole answer", f"{lost} of {asked}")
        target = Target(most=0) if system == "cato" else None
        yield single(f"{system}: of these, without a named error", silent, "", target, 0)


def proxies(document: Document) -> Iterator[Claim]:
    """Yield the requests/s that one core carries, beside other proxies."""
    targets = {"litellm": 5.0, "ray": 2.0}
    ours = 1000 / statistics.median(document["costs"][0]["cpu_ms_per_request"])
    for cost in document["costs"]:
        theirs = [1000 / each for each in cost["cpu_ms_per_request"]]
        yield middle(f"{cost['name']}: requests/s that one core carries", theirs, "", None, 0)
        least = next((t for word, t in targets.items() if word in cost["name"].lower()), None)
        if least is not None:
            ratio = ours / statistics.median(theirs)
            yield single(f"ours by that of {cost['name']}", ratio, "times", Target(least=least))

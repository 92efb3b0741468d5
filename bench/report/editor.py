"""Claims on suggestions and on the language server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bench.report.claims import Claim, Target, mean, middle, single

Document = Mapping[str, Any]


def suggestion_ends(document: Document) -> Iterator[Claim]:
    """Yield the share of suggestions that hold the whole line, by language."""
    for language, found in document["languages"].items():
        for place, field in (("at the indentation", "whole %"), ("within the line", "within %")):
            statement = f"{language}: suggestions that begin with the whole line, cursor {place}"
            yield single(statement, found[field], "%", Target(least=99))


def typing(document: Document) -> Iterator[Claim]:
    """Yield what simulated developers see, for each client."""
    for run in document["runs"]:
        options = run["options"]
        for row in run["rows"]:
            yield from _client(f"{_name(row['client'])}{_conditions(options, row)}", row)


_CONFIDENCE = {
    "calibrated": "log probabilities told",
    "hidden": "none told",
    "none": "none told, sure of all alike",
}
_ACCEPTS = {"once": "one acceptance a pause", "on": "accepting on and on"}


def people(document: Document) -> Iterator[Claim]:
    """Yield what simulated developers see and save, by client, model and how they accept."""
    for run in document["runs"]:
        client, rows = run["client"], run["rows"]
        ours = client in _EDITORS
        conditions = f"{_CONFIDENCE[run['confidence']]}, {_ACCEPTS[run['accept']]}"
        name = f"{_name(client)} ({conditions})"
        # Who looks again behind what they accepted looks where the model is unsure.
        first = ours and run["accept"] == "once"
        for statement, field, target in (
            ("pauses with the right text in 500 ms", "right_in_500_ms", _if(first, least=65)),
            ("pauses with a wrong text", "wrong_in_500_ms", _if(ours, most=20)),
            ("characters saved", "saved", _if(ours, least=55)),
        ):
            values = [100 * row[field] for row in rows]
            yield mean(f"{name}: {statement}", values, "%", target)
        cost = [row["engine_ms_per_key"] for row in rows]
        yield mean(f"{name}: engine time per key", cost, "ms", _if(ours, most=15))


def _client(name: str, row: Mapping[str, Any]) -> Iterator[Claim]:
    ours = name.startswith("cato-lsp")
    right, soon = 100 * row["right_in_500_ms"], 100 * row["right_in_300_ms"]
    yield single(f"{name}: pauses with the right text in 500 ms", right, "%", _if(ours, least=65))
    cost = row["engine_ms_per_key"]
    yield single(f"{name}: engine time per key", cost, "ms", _if(ours, most=15))
    if ours:
        yield single(f"{name}: right text in 300 ms", soon, "%", Target(least=55))
    yield single(f"{name}: wrong suggestions per 1,000 keys", row["wrong"], "")


def _if(ours: bool, least: float | None = None, most: float | None = None) -> Target | None:
    return Target(least, most) if ours else None


_EDITORS = {"vscode": "cato-lsp as VS Code asks", "neovim": "cato-lsp as Neovim asks"}


def _name(client: str) -> str:
    return _EDITORS.get(client, client)


def _conditions(options: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    replicas = options["replicas"]
    told = [f"{row['developers']} developers", f"{replicas} replica{'s' if replicas > 1 else ''}"]
    told += [f"confidence {options['confidence']}"] if "confidence" in options else []
    return f" ({', '.join(told)})"


def startup(document: Document) -> Iterator[Claim]:
    """Yield the time to the answer of `initialize`, beside a bare pygls server."""
    starts = document["starts"]
    for name, rows in starts.items():
        yield middle(
            f"{name}: answer of initialize", [row["wall_ms"] for row in rows], "ms", None, 0
        )
    ours, bare = starts["cato-lsp"], starts["bare pygls"]
    ratios = [a["wall_ms"] / b["wall_ms"] for a, b in zip(ours, bare, strict=True)]
    yield middle("start-up by that of bare pygls", ratios, "times", Target(most=1.3))


def latency(document: Document) -> Iterator[Claim]:
    """Yield the CPU time from didChange received to the request sent, by lines of the file."""
    for row in document["sizes"]:
        target = Target(most=5) if row["lines"] == 5000 else None
        statement = f"didChange to the request sent, {row['lines']} lines, CPU time"
        yield single(f"{statement} p50", row["p50"], "ms")
        yield single(f"{statement} p99", row["p99"], "ms", target)


def answers(document: Document) -> Iterator[Claim]:
    """Yield how long a key's answer takes where the network need not be asked."""
    for row in document["rows"]:
        statement = f"{row['name']}, to the answer"
        yield single(f"{statement} p50", row["p50"], "ms")
        yield single(f"{statement} p99", row["p99"], "ms", Target(most=5))


def memory(document: Document) -> Iterator[Claim]:
    """Yield the resident size before and after the keystrokes."""
    sizes = document["resident_mb"]
    keystrokes = document["keystrokes"]
    yield single("resident size with the documents open", sizes[0], "MB", None, 0)
    statement = f"resident size after {keystrokes:,} keystrokes"
    yield single(statement, sizes[-1], "MB", Target(most=120), 0)


def edits(document: Document) -> Iterator[Claim]:
    """Yield the CPU time of one key: edit, parse, context and window."""
    for row in document["rows"]:
        statement = f"one key ({row['typed']}), {row['lines']} lines of {row['language']}, CPU time"
        p50, p99 = row["all"]
        yield Claim(statement, f"p50 {p50:.1f}, p99 {p99:.1f} ms")

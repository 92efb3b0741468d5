"""The page: how to read it, one table for each subject, and where each file comes from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.peers.tables import markdown
from bench.report.claims import Claim, Verdict
from bench.report.sources import SOURCES, Source

_INTRODUCTION = Path(__file__).with_name("introduction.txt")
_COLUMNS = ("claim", "figure", "target", "met", "tier", "command", "seeds", "commit", "raw file")
_ORIGIN = ("raw file", "taken at", "machine", "load average", "versions")


def page(sources: Iterable[Source] = SOURCES) -> str:
    """Return the page in Markdown."""
    documents = [(source, source.document()) for source in sources if source.exists()]
    claims = [(source, list(source.read(document))) for source, document in documents]
    parts = [
        _INTRODUCTION.read_text(encoding="utf-8"),
        _summary([claim for _, found in claims for claim in found]),
    ]
    for (source, document), (_, found) in zip(documents, claims, strict=True):
        note = f"{source.note}\n\n" if source.note else ""
        table = _table(source, document["origin"], found)
        parts.append(f"## {source.subject}\n\n{note}{table}\n")
    origins = [_machine(source, document["origin"]) for source, document in documents]
    parts.append(f"## Where the files come from\n\n{markdown(_ORIGIN, origins)}\n")
    return "\n".join(parts)


def _summary(claims: Sequence[Claim]) -> str:
    counts = {verdict: sum(claim.verdict is verdict for claim in claims) for verdict in Verdict}
    return (
        f"{len(claims)} figures: {counts[Verdict.MET]} meet their target, "
        f"{counts[Verdict.MISSED]} miss it; {counts[Verdict.AHEAD]} comparisons are ahead, "
        f"{counts[Verdict.LEVEL]} level, {counts[Verdict.BEHIND]} behind.\n"
    )


def _table(source: Source, origin: Mapping[str, Any], claims: Iterable[Claim]) -> str:
    link = f"[{source.name}](results/{source.name}.json)"
    common = (source.tier, f"`{origin['command']}`", source.seeds, commit_of(origin), link)
    rows = ((c.statement, c.figure, c.target, c.verdict.value, *common) for c in claims)
    return markdown(_COLUMNS, rows)


def commit_of(origin: Mapping[str, Any]) -> str:
    """Return the commit, or the one that added the file where it is not known."""
    if origin["commit"] != "unknown":
        return f"{origin['commit']}"
    return f"unknown, at most {origin['added_in']}"


def _machine(source: Source, origin: Mapping[str, Any]) -> Sequence[str]:
    machine = origin["machine"]
    if machine == "unknown":
        return (source.name, origin["at"], "unknown", "unknown", "unknown")
    versions = (f"{k} {v}" for k, v in machine.items() if k not in ("cpu", "load average"))
    return (
        source.name,
        origin["at"],
        machine["cpu"],
        machine["load average"],
        ", ".join(versions),
    )

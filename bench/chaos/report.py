"""The table of docs/reliability.md."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.peers.tables import markdown

BEGIN, END = "<!-- made by bench.chaos: begin -->", "<!-- made by bench.chaos: end -->"


def write_table(document: dict[str, Any], page: Path | None) -> str:
    """The table, which also replaces the one on the page, if there is one. Raises ValueError where
    the page has no place for it."""
    made = table(document)
    if page is not None:
        text = page.read_text(encoding="utf-8")
        before, begin, rest = text.partition(BEGIN)
        _, end, after = rest.partition(END)
        if not begin or not end:
            raise ValueError(f"{page}: no lines {BEGIN!r} and {END!r}")
        page.write_text(f"{before}{BEGIN}\n\n{made}\n\n{END}{after}", encoding="utf-8")
    return made


def table(document: dict[str, Any]) -> str:
    """One row for each kind of fault; all seeds added up."""
    runs = document["runs"]
    names = list(dict.fromkeys(run["system"] for run in runs))
    headings = ["fault", *(f"{name}: {what}" for name in names for what in _COLUMNS)]
    kinds = dict.fromkeys(run["kind"] for run in runs)
    rows = [
        [kind, *(cell for name in names for cell in _cells(_of(runs, kind, name)))]
        for kind in kinds
    ]
    total = ["all", *(cell for name in names for cell in _cells(_of(runs, None, name)))]
    return markdown(headings, [*rows, total])


_COLUMNS = ("lost", "silently", "late", "longest delay", "back after")


def _of(runs: Iterable[dict[str, Any]], kind: str | None, system: str) -> list[dict[str, Any]]:
    return [run for run in runs if run["system"] == system and kind in (None, run["kind"])]


def _cells(runs: list[dict[str, Any]]) -> list[str]:
    asked = sum(sum(run["ends"].values()) for run in runs)
    whole, told = (sum(run["ends"][end] for run in runs) for end in ("whole", "told"))
    lost = asked - whole
    return [
        f"{lost} of {asked}",
        str(lost - told),
        str(sum(run["late"] for run in runs)),
        f"{max(run['longest_delay_s'] for run in runs):.1f} s",
        _back([run["back_s"] for run in runs]),
    ]


def _back(seconds: list[float | None]) -> str:
    known = sorted(each for each in seconds if each is not None)
    if not known:
        return ""
    return f"{statistics.median(known):.1f} s (to {known[-1]:.1f})"

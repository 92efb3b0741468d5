"""What `cato doctor` found at one hop, and how it is printed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How a hop is."""

    OK = "ok"
    NOTE = "note"
    """Works, but the person should know."""
    LOADING = "loading"
    """Does not work yet, and will without anything being done."""
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """One hop's verdict; `remedy` says what to do where there is something to do."""

    hop: str
    verdict: Verdict
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        line = f"{_MARKS[self.verdict]:6} {self.hop}: {self.text}"
        return f"{line}\n         -> {self.remedy}" if self.remedy else line


_MARKS = {
    Verdict.OK: "ok",
    Verdict.NOTE: "note",
    Verdict.LOADING: "wait",
    Verdict.BROKEN: "BROKEN",
}


def ok(hop: str, text: str) -> Finding:
    """A hop that is as it should be."""
    return Finding(hop, Verdict.OK, text)


def note(hop: str, text: str, remedy: str = "") -> Finding:
    """A hop that works, with something to know."""
    return Finding(hop, Verdict.NOTE, text, remedy)


def loading(hop: str, text: str, remedy: str = "") -> Finding:
    """A hop that only needs time."""
    return Finding(hop, Verdict.LOADING, text, remedy)


def broken(hop: str, text: str, remedy: str) -> Finding:
    """A hop that does not work."""
    return Finding(hop, Verdict.BROKEN, text, remedy)

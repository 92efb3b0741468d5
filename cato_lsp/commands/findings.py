"""What `cato doctor` found at one hop, and how it is printed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How a hop is."""

    OK = "ok"
    NOTE = "note"
    """Works, but the person should know."""
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """One hop's verdict; `remedy` says what to do where there is something to do."""

    hop: str
    verdict: Verdict
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        mark = {Verdict.OK: "ok    ", Verdict.NOTE: "note  ", Verdict.BROKEN: "BROKEN"}
        line = f"{mark[self.verdict]} {self.hop}: {self.text}"
        return f"{line}\n         -> {self.remedy}" if self.remedy else line


def ok(hop: str, text: str) -> Finding:
    """A hop that is as it should be."""
    return Finding(hop, Verdict.OK, text)


def note(hop: str, text: str, remedy: str = "") -> Finding:
    """A hop that works, with something to know."""
    return Finding(hop, Verdict.NOTE, text, remedy)


def broken(hop: str, text: str, remedy: str) -> Finding:
    """A hop that does not work."""
    return Finding(hop, Verdict.BROKEN, text, remedy)

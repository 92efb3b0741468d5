"""The arena's claims on the page of figures."""

from __future__ import annotations

from typing import Any

from bench.report.arena import arena
from bench.report.claims import Verdict


def share(met: int, counted: int = 100) -> dict[str, int]:
    return {"met": met, "counted": counted}


def world(number: int, ours: int, theirs: int, completions: int) -> dict[str, Any]:
    """`theirs`: of the best baseline, whose completions were all met; another met none."""

    def played(met: int, of_class: int) -> dict[str, Any]:
        classes = {"completion": share(of_class), "agent": share(1, 3)}
        return {"all": share(met), "start": share(met), "classes": classes}

    return {
        "world": number,
        "groups": ["above the knee"] if number else ["below the knee"],
        "played": {
            "cato": played(ours, completions),
            "best": played(theirs, 100),
            "worst": played(0, 0),
        },
    }


DOCUMENT = {
    "policy": "cato",
    "leads": {"0": -3.0, "1": 6.0},
    "worlds": [world(0, 57, 60, completions=90), world(1, 66, 60, completions=98)],
}


def test_leads_are_judged_as_a_whole_and_in_parts() -> None:
    found = {claim.statement: (claim.figure, claim.verdict) for claim in arena(DOCUMENT)}
    assert found["median lead, 1 worlds above the knee"] == ("6.0 points", Verdict.MET)
    assert found["worst lead"] == ("-3.0 points", Verdict.MISSED)
    assert found["median lead in the first minute after a start, 2 worlds"] == (
        "1.5 points",
        Verdict.MET,
    )
    assert found["median lead of completions, 2 worlds"] == ("-6.0 points", Verdict.MISSED)


def test_a_part_of_too_few_requests_says_nothing() -> None:
    assert not [claim for claim in arena(DOCUMENT) if "agents" in claim.statement]

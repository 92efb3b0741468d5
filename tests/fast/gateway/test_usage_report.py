"""Usage by day, in the fields of Copilot's usage metrics, and nobody told apart in a team's."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cato_backend.gateway.costs import Costs, costs_of
from cato_backend.gateway.usage import person_records, shown_answers, team_records

ALICE, BOB = "a1", "b0"
FREE = Costs({}, "USD")
NO_COSTS = dict.fromkeys(
    (
        "engine_seconds",
        "engine_seconds_per_accepted_line",
        "cost",
        "cost_per_accepted_line",
        "currency",
    )
)


def shown(person: str, request_id: str, **fields: Any) -> dict[str, Any]:
    return {
        "tenant": person, "request_id": request_id, "event": "shown",
        "at": "2026-11-30T10:00:00.000+00:00", "shown_lines": 3, "latency_ms": 200.0,
        "language": "python", "editor": "Visual Studio Code", "task": "completion",
        "model": "coder", "outcome": "met", **fields,
    }  # fmt: skip


def taken(person: str, request_id: str, lines: int, event: str = "accepted") -> dict[str, Any]:
    return shown(person, request_id, event=event, accepted_lines=lines)


def test_a_person_s_day() -> None:
    entries = [
        shown(ALICE, "1"),
        taken(ALICE, "1", 1, "partially_accepted"),
        taken(ALICE, "1", 3),
        shown(ALICE, "1"),  # Shown again: the same answer.
        shown(ALICE, "2", outcome="late", latency_ms=900.0, editor="Neovim"),
        shown(ALICE, "3", task="summarization", language="go", shown_lines=2),
        shown(ALICE, "4", at="2026-12-01T00:00:00.000+00:00"),
        taken(ALICE, "forgotten", 9),
        shown(BOB, "1", language=None, outcome=None),
    ]
    first, bob, second = person_records(shown_answers(entries), FREE)
    assert [(each["day"], each["user_login"]) for each in (first, bob, second)] == [
        ("2026-11-30", ALICE), ("2026-11-30", BOB), ("2026-12-01", ALICE)
    ]  # fmt: skip
    assert first["user_id"] == second["user_id"] != bob["user_id"]
    assert first["code_generation_activity_count"] == 3
    assert first["code_acceptance_activity_count"] == 1
    assert (first["loc_suggested_to_add_sum"], first["loc_added_sum"]) == (8, 3)
    assert (first["used_chat"], first["used_agent"]) == (True, False)
    assert first["cato"] == NO_COSTS | {"deadlines_met_share": 0.6667, "shown_in_time_share": 0.5}
    assert bob["cato"] == NO_COSTS | {"deadlines_met_share": None, "shown_in_time_share": 1.0}
    ides = {each["ide"]: each["code_generation_activity_count"] for each in first["totals_by_ide"]}
    assert ides == {"vscode": 2, "neovim": 1}
    by_feature = {(e["language"], e["feature"]) for e in first["totals_by_language_feature"]}
    assert by_feature == {("python", "code_completion"), ("go", "chat_inline")}
    assert bob["totals_by_language_model"][0]["language"] == "unknown"


def test_a_line_costs_what_all_requests_took_of_the_engine() -> None:
    """Also those whose answers nobody was shown: they are in what the next entry tells."""
    priced = {"cost": 0.002, "currency": "USD"}
    entries = [
        shown(ALICE, "1", engine_s=2.0, **priced),
        taken(ALICE, "1", 3),
        shown(ALICE, "2", engine_s=1.0, **priced),
        taken(ALICE, "2", 1),
        shown(BOB, "3", engine_s=6.0),
    ]
    costs = costs_of(entries, "USD")
    alice, bob = person_records(shown_answers(entries), costs)
    assert alice["cato"]["engine_seconds"] == 3.0
    assert alice["cato"]["engine_seconds_per_accepted_line"] == 0.75
    assert alice["cato"]["cost"] == 0.004
    assert alice["cato"]["cost_per_accepted_line"] == 0.001
    assert alice["cato"]["currency"] == "USD"
    assert bob["cato"]["engine_seconds"] == 6.0
    assert bob["cato"]["engine_seconds_per_accepted_line"] is None, "nothing was accepted"
    assert bob["cato"]["cost"] is bob["cato"]["currency"] is None, "the replica has no price"
    (team,) = team_records(shown_answers(entries), 2, costs)
    assert team["cato"]["engine_seconds_per_accepted_line"] == 2.25
    assert team["cato"]["cost"] is None
    (euros, _) = person_records(shown_answers(entries), costs_of(entries, "EUR"))
    assert (euros["cato"]["engine_seconds"], euros["cato"]["cost"]) == (3.0, None)


@st.composite
def entries_of_a_day(draw: st.DrawFn) -> list[dict[str, Any]]:
    people = st.sampled_from([f"{n:x}" for n in range(8)])
    found = draw(st.lists(st.tuples(people, st.sampled_from("abcde"), st.sampled_from("xyz"))))
    return [
        shown(person, str(number), language=language, model=model)
        for number, (person, language, model) in enumerate(found)
    ]


@given(entries=entries_of_a_day(), smallest=st.integers(1, 5))
def test_no_group_of_a_team_is_smaller_than_allowed(
    entries: list[dict[str, Any]], smallest: int
) -> None:
    people = {entry["tenant"] for entry in entries}
    records = list(team_records(shown_answers(entries), smallest, FREE))
    assert len(records) == (len(people) >= smallest and len(people) > 0)
    for record in records:
        assert record["daily_active_users"] == len(people)
        for name, fields in (
            ("totals_by_language_model", ("language", "model")),
            ("totals_by_ide", ("ide",)),
        ):
            groups = record[name]
            told = {tuple(group[field] for field in fields) for group in groups}
            assert len(told) == len(groups)
            assert sum(group["code_generation_activity_count"] for group in groups) == len(entries)
            for key in told - {("others",) * len(fields)}:
                same = {
                    entry["tenant"]
                    for entry in entries
                    if name == "totals_by_ide" or (entry["language"], entry["model"]) == key
                }
                assert len(same) >= smallest
            hidden = [entry for entry in entries if (entry["language"], entry["model"]) not in told]
            if name != "totals_by_ide" and hidden:
                assert len({entry["tenant"] for entry in hidden}) >= smallest

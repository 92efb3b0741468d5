"""From feedback to usage, in the fields of GitHub Copilot's usage metrics.

One record a day and person, or a day and team. What Copilot does not report is in the object
`cato`. A record of a team does not tell single people apart: a group of too few people is counted
among the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from cato_backend.gateway.usage_costs import Costs
from cato_backend.requests import USABLE_S
from cato_backend.wire.editor_calls import FeedbackEvent
from cato_backend.wire.headers import Task

_FEATURES = {
    Task.COMPLETION: "code_completion",
    Task.GENERATION: "code_completion",
    Task.SUMMARIZATION: "chat_inline",
    Task.TRANSLATION: "chat_inline",
    Task.AGENT: "agent_edit",
}
_EDITORS = {"visual studio code": "vscode"}
_OTHERS, _UNKNOWN = "others", "unknown"
_TAKEN = (FeedbackEvent.ACCEPTED, FeedbackEvent.PARTIALLY_ACCEPTED)
_ENTERPRISE = "cato"


class ShownAnswer(NamedTuple):
    """An answer that a person was shown, and the outcome."""

    day: str
    person: str
    """The hash of a token."""
    ide: str
    feature: str
    language: str
    model: str
    lines: int
    is_accepted: bool
    lines_added: int
    is_met: bool | None
    """Whether its deadline was met; None where that is not known any more."""
    is_in_time: bool | None
    """Whether it was on the screen as soon as it is useful there; None where that is not known."""


_Group = Callable[[ShownAnswer], tuple[str, ...]]
_BREAKDOWNS: dict[str, tuple[str, ...]] = {
    "totals_by_ide": ("ide",),
    "totals_by_feature": ("feature",),
    "totals_by_language_feature": ("language", "feature"),
    "totals_by_language_model": ("language", "model"),
    "totals_by_model_feature": ("model", "feature"),
}


def shown_answers(entries: Iterable[Mapping[str, Any]]) -> Iterator[ShownAnswer]:
    """Yield each answer once, from the entries of the feedback file in their order."""
    by_answer: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for entry in entries:
        by_answer.setdefault((entry["tenant"], entry["request_id"]), []).append(entry)
    for (person, _), events in by_answer.items():
        shown = next((each for each in events if each["event"] == FeedbackEvent.SHOWN), None)
        if shown is not None:
            yield _answer(person, shown, [each for each in events if each["event"] in _TAKEN])


def person_records(answers: Iterable[ShownAnswer], costs: Costs) -> Iterator[dict[str, Any]]:
    """Yield one record for each day of each person, by day."""
    for (day, person), group in sorted(_grouped(answers, lambda a: (a.day, a.person)).items()):
        features = {answer.feature for answer in group}
        yield {
            **_span(day),
            "user_id": _number(person),
            "user_login": person or "local",
            **_sums(group),
            **{name: _totals(group, fields, 1) for name, fields in _BREAKDOWNS.items()},
            "used_agent": "agent_edit" in features,
            "used_chat": "chat_inline" in features,
            "cato": _timeliness(group) | _costs(group, costs),
        }


def team_records(
    answers: Iterable[ShownAnswer], smallest_group: int, costs: Costs
) -> Iterator[dict[str, Any]]:
    """Yield one record a day, by day, if `smallest_group` or more people were shown an answer."""
    for (day,), group in sorted(_grouped(answers, lambda answer: (answer.day,)).items()):
        people = len(_people(group))
        if people < smallest_group:
            continue
        yield {
            **_span(day),
            "daily_active_users": people,
            **_sums(group),
            **{name: _totals(group, fields, smallest_group)
               for name, fields in _BREAKDOWNS.items()},
            "cato": _timeliness(group) | _costs(group, costs),
        }  # fmt: skip


def _answer(
    person: str, shown: Mapping[str, Any], taken: Sequence[Mapping[str, Any]]
) -> ShownAnswer:
    editor = str(shown.get("editor") or _UNKNOWN).lower()
    outcome, latency_ms = shown.get("outcome"), shown.get("latency_ms")
    return ShownAnswer(
        day=str(shown["at"])[:10],
        person=person,
        ide=_EDITORS.get(editor, editor.replace(" ", "_")),
        feature=_FEATURES.get(shown.get("task", ""), _OTHERS),
        language=shown.get("language") or _UNKNOWN,
        model=shown.get("model") or _UNKNOWN,
        lines=shown.get("shown_lines") or 0,
        is_accepted=bool(taken),
        lines_added=max((each.get("accepted_lines") or 0 for each in taken), default=0),
        is_met=None if outcome is None else outcome in ("met", "enough"),
        is_in_time=None if latency_ms is None else latency_ms <= USABLE_S * 1e3,
    )


def _grouped(
    answers: Iterable[ShownAnswer], key: _Group
) -> dict[tuple[str, ...], list[ShownAnswer]]:
    groups: dict[tuple[str, ...], list[ShownAnswer]] = {}
    for answer in answers:
        groups.setdefault(key(answer), []).append(answer)
    return groups


def _totals(
    answers: Sequence[ShownAnswer], fields: tuple[str, ...], smallest_group: int
) -> list[dict[str, Any]]:
    """Return the sums by these fields; groups of too few people are one group of others.

    Groups are added to the others until these are enough people themselves: the difference between
    the total and the other sums would otherwise show a single small group.
    """
    groups = _grouped(answers, lambda answer: tuple(getattr(answer, name) for name in fields))
    others: list[ShownAnswer] = []
    for key in sorted(groups, key=lambda key: (len(_people(groups[key])), key)):
        is_small = len(_people(groups[key])) < smallest_group
        if is_small or 0 < len(_people(others)) < smallest_group:
            others += groups.pop(key)
    if others:
        groups[(_OTHERS,) * len(fields)] = others
    return [
        {**dict(zip(fields, key, strict=True)), **_sums(group)}
        for key, group in sorted(groups.items())
    ]


def _people(answers: Iterable[ShownAnswer]) -> set[str]:
    return {answer.person for answer in answers}


def _number(person: str) -> int:
    """Return a number for a person that keeps its value, in place of an account's."""
    return int(hashlib.sha256(person.encode()).hexdigest()[:12], 16)


def _span(day: str) -> dict[str, str]:
    return {
        "report_start_day": day,
        "report_end_day": day,
        "day": day,
        "enterprise_id": _ENTERPRISE,
    }


def _sums(answers: Sequence[ShownAnswer]) -> dict[str, int]:
    return {
        "user_initiated_interaction_count": sum(a.feature == "chat_inline" for a in answers),
        "code_generation_activity_count": len(answers),
        "code_acceptance_activity_count": sum(answer.is_accepted for answer in answers),
        "loc_suggested_to_add_sum": sum(answer.lines for answer in answers),
        "loc_suggested_to_delete_sum": 0,
        "loc_added_sum": sum(answer.lines_added for answer in answers),
        "loc_deleted_sum": 0,
    }


def _timeliness(answers: Sequence[ShownAnswer]) -> dict[str, float | None]:
    """Return the shares of deadlines met, and of completions that were shown in time."""
    completions = [answer for answer in answers if answer.feature == "code_completion"]
    return {
        "deadlines_met_share": _share(answer.is_met for answer in answers),
        "shown_in_time_share": _share(answer.is_in_time for answer in completions),
    }


def _costs(answers: Sequence[ShownAnswer], costs: Costs) -> dict[str, float | str | None]:
    """Return what these people spent on these days, with answers that were not shown."""
    lines = sum(answer.lines_added for answer in answers)
    return costs.of(((answer.day, answer.person) for answer in answers), lines)


def _share(known: Iterable[bool | None]) -> float | None:
    judged = [each for each in known if each is not None]
    return round(sum(judged) / len(judged), 4) if judged else None

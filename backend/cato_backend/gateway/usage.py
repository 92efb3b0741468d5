"""`GET /v1/usage` and `/v1/usage/team`: shown and accepted answers by day, as JSON and CSV.

Records are made from feedback, in the fields of GitHub Copilot's usage metrics: one for a day and
person, or day and team. Fields that Copilot does not report are in the object `cato`. A record of
a team does not identify single people: too small a group is counted among the others.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from aiohttp import web

from cato_backend.errors import NotFound
from cato_backend.gateway.costs import Costs, costs_of
from cato_backend.gateway.state import GATEWAY, TENANT, Gateway
from cato_backend.requests import USABLE_S
from cato_backend.wire.editor_calls import FeedbackEvent
from cato_backend.wire.headers import Task

_EDITORS = {"visual studio code": "vscode"}

_OTHERS, _UNKNOWN = "others", "unknown"

_ENTERPRISE = "cato"

_BREAKDOWNS: dict[str, tuple[str, ...]] = {
    "totals_by_ide": ("ide",),
    "totals_by_feature": ("feature",),
    "totals_by_language_feature": ("language", "feature"),
    "totals_by_language_model": ("language", "model"),
    "totals_by_model_feature": ("model", "feature"),
}

NDJSON, CSV = "application/x-ndjson", "text/csv"


_FEATURES = {
    Task.COMPLETION: "code_completion",
    Task.GENERATION: "code_completion",
    Task.SUMMARIZATION: "chat_inline",
    Task.TRANSLATION: "chat_inline",
    Task.AGENT: "agent_edit",
}


_TAKEN = (FeedbackEvent.ACCEPTED, FeedbackEvent.PARTIALLY_ACCEPTED)


class ShownAnswer(NamedTuple):
    """An answer that was shown to a person, and its outcome."""

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
    """Return a number for a person that keeps its value, instead of an account's."""
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


async def own_lines(request: web.Request) -> web.StreamResponse:
    """`GET /v1/usage`: the token's own usage, one record a day, as JSON lines."""
    return _lines(await _own(request))


async def own_table(request: web.Request) -> web.StreamResponse:
    """`GET /v1/usage.csv`: the same as a table, without the breakdowns."""
    return _table(await _own(request))


async def team_lines(request: web.Request) -> web.StreamResponse:
    """`GET /v1/usage/team`: the usage of all people together, if that is configured."""
    return _lines(await _team(request))


async def team_table(request: web.Request) -> web.StreamResponse:
    """`GET /v1/usage/team.csv`: the same as a table, without the breakdowns."""
    return _table(await _team(request))


async def _own(request: web.Request) -> list[dict[str, Any]]:
    gateway = request.app[GATEWAY]
    return await gateway.feedback.read(_of_person, gateway, request[TENANT])


async def _team(request: web.Request) -> list[dict[str, Any]]:
    """Raise NotFound where it is not configured."""
    gateway = request.app[GATEWAY]
    if not gateway.config.usage.team:
        raise NotFound("usage of the team: it is not told here; usage.team in cato.toml allows it")
    return await gateway.feedback.read(_of_team, gateway)


def _of_person(gateway: Gateway, person: str) -> list[dict[str, Any]]:
    own = [entry for entry in gateway.feedback.entries() if entry["tenant"] == person]
    return list(person_records(shown_answers(own), costs_of(own, gateway.prices.currency)))


def _of_team(gateway: Gateway) -> list[dict[str, Any]]:
    smallest, entries = gateway.config.usage.smallest_group, list(gateway.feedback.entries())
    costs = costs_of(entries, gateway.prices.currency)
    return list(team_records(shown_answers(entries), smallest, costs))


def _lines(records: Sequence[dict[str, Any]]) -> web.Response:
    body = b"".join(orjson.dumps(record) + b"\n" for record in records)
    return web.Response(body=body, content_type=NDJSON)


def _table(records: Sequence[dict[str, Any]]) -> web.Response:
    rows = [_row(record) for record in records]
    written = io.StringIO(newline="")
    writer = csv.DictWriter(written, list(rows[0]) if rows else ["day"])
    writer.writeheader()
    writer.writerows(rows)
    return web.Response(text=written.getvalue(), content_type=CSV)


def _row(record: dict[str, Any]) -> dict[str, Any]:
    """Return what of a record is one value, with what Copilot does not report."""
    plain = {name: value for name, value in record.items() if not isinstance(value, list | dict)}
    timeliness: dict[str, Any] = record["cato"]
    return plain | timeliness

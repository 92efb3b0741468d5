"""`GET /v1/usage` and `/v1/usage/team`: what was shown and taken, by day; as CSV, too."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import orjson
from aiohttp import web

from cato_backend.errors import NotFound
from cato_backend.gateway.state import GATEWAY, TENANT, Gateway
from cato_backend.gateway.usage_costs import costs_of
from cato_backend.gateway.usage_report import person_records, shown_answers, team_records

NDJSON, CSV = "application/x-ndjson", "text/csv"


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

"""`/v1/usage`: what was shown and taken, by day."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.contract.gateway.conftest import ALICE, BOB
from tests.contract.gateway.serving import refusal
from tests.contract.gateway.site import Site, serving_site
from tests.secret_files import secret_file

PROFILES = Path(__file__).parents[3] / "profiles"
pytestmark = pytest.mark.asyncio(loop_scope="package")


async def uses(site: Site, request_id: str) -> None:
    """An answer is shown and taken."""
    await site.post({"prompt": "x", "suffix": ""}, x_request_id=request_id)
    told = {"request_id": request_id, "language": "python", "editor": "Neovim"}
    for more in ({"event": "shown", "shown_lines": 2, "latency_ms": 100.0},
                 {"event": "accepted", "accepted_lines": 2}):  # fmt: skip
        assert (await site.post({**told, **more}, "/v1/feedback")).status == 202


def lines(body: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in body.splitlines()]


async def test_usage_of_a_token_and_of_the_team(tmp_path: Path) -> None:
    secret_file(tmp_path / "tokens", f"{ALICE}\n{BOB}\n")
    config = "[usage]\nteam = true\nsmallest_group = 2\n"
    arguments = ("--token-file", str(tmp_path / "tokens"))
    async with serving_site(tmp_path, *arguments, config=config, token=ALICE) as site:
        await uses(site, "one")
        assert lines((await site.call("GET", "/v1/usage/team")).body) == []
        site.token = BOB
        await uses(site, "two")
        await uses(site, "three")
        own = await site.call("GET", "/v1/usage")
        assert own.headers["content-type"] == "application/x-ndjson"
        (record,) = lines(own.body)
        assert record["code_generation_activity_count"] == 2
        assert (record["loc_suggested_to_add_sum"], record["loc_added_sum"]) == (4, 4)
        assert record["totals_by_ide"][0]["ide"] == "neovim"
        assert record["totals_by_feature"][0]["feature"] == "code_completion"
        assert record["totals_by_model_feature"][0]["model"] == "cato-embedded"
        assert record["cato"]["shown_in_time_share"] == 1
        assert record["cato"]["engine_seconds"] > 0
        assert record["cato"]["cost"] is None, "it is not known what the replica runs on"
        assert BOB not in own.body.decode()
        (team,) = lines((await site.call("GET", "/v1/usage/team")).body)
        assert (team["daily_active_users"], team["code_generation_activity_count"]) == (2, 3)
        table = await site.call("GET", "/v1/usage.csv")
        assert table.headers["content-type"].startswith("text/csv")
        (row,) = csv.DictReader(io.StringIO(table.body.decode()))
        assert row["code_acceptance_activity_count"] == "2"
        assert row["day"] == record["day"]
        (row,) = csv.DictReader(
            io.StringIO((await site.call("GET", "/v1/usage/team.csv")).body.decode())
        )
        assert row["daily_active_users"] == "2"


async def test_the_team_s_usage_is_told_only_where_it_is_configured(single: Site) -> None:
    for path in ("/v1/usage/team", "/v1/usage/team.csv"):
        answer = await single.call("GET", path)
        assert (answer.status, answer.error["code"]) == (404, "not_found")
        assert "usage.team" in answer.error["message"]
    assert (await single.call("GET", "/v1/usage")).status == 200


async def test_what_an_accepted_line_costs(tmp_path: Path) -> None:
    """The replica's profile names its hardware, and the file of prices has a price for that."""
    profile = json.loads((PROFILES / "h100" / "Qwen2.5-Coder-7B.json").read_text())
    (tmp_path / "profile.json").write_text(json.dumps(profile))
    (tmp_path / "prices.toml").write_text('currency = "EUR"\n[gpu.h100]\nper_hour = 3600\n')
    config = f'[usage]\nprices = "{tmp_path}/prices.toml"\n'
    arguments = ("--profile", str(tmp_path / "profile.json"))
    async with serving_site(tmp_path, *arguments, config=config) as site:
        await uses(site, "one")
        (record,) = lines((await site.call("GET", "/v1/usage")).body)
        seconds = record["cato"]["engine_seconds"]
        assert seconds > 0
        assert record["cato"]["cost"] == pytest.approx(seconds, abs=1e-4)
        assert record["cato"]["cost_per_accepted_line"] == pytest.approx(seconds / 2, abs=1e-4)
        assert record["cato"]["currency"] == "EUR"
        table = await site.call("GET", "/v1/usage.csv")
        (row,) = csv.DictReader(io.StringIO(table.body.decode()))
        assert row["currency"] == "EUR"


async def test_a_file_of_prices_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "cato.toml").write_text('[usage]\nprices = "/nowhere/prices.toml"\n')
    said = await refusal(tmp_path, "--config", str(tmp_path / "cato.toml"), "--replica", "http://x")
    assert "usage.prices: /nowhere/prices.toml: No such file" in said

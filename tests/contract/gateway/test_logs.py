"""What `cato serve` writes to standard error."""

from __future__ import annotations

import json
from pathlib import Path

from tests.contract.gateway.site import Site, serving_site
from tests.secret_files import secret_file


async def test_json_lines_tell_slow_requests_and_refused_tokens(tmp_path: Path) -> None:
    tokens = secret_file(tmp_path / "tokens", "the-right-token\n")
    options = ("--log-format", "json", "--token-file", str(tokens))
    config = "[log]\nslow_times = 2\n"
    async with serving_site(tmp_path, *options, config=config, token="the-right-token") as site:
        await site.fake.change(ttft_ms=300)
        body = {"prompt": "secret code", "stream": True, "max_tokens": 2}
        await site.post(body, x_request_id="slow", x_slo_ttft_ms=50)
        await site.post(body, x_request_id="quick", x_slo_ttft_ms=50_000)
        wrong = Site(site.serve, site.fakes, site.http, token="the-wrong-token")
        for _ in range(30):
            assert (await wrong.post(body)).status == 401
        await site.serve.wait_said("invalid_api_key", 10)
    lines = [json.loads(line) for line in site.serve.said.splitlines()]
    assert all(line["level"] in ("info", "warning") for line in lines)
    (slow,) = [line for line in lines if "came after" in line["message"]]
    assert slow["request_id"].startswith("slow~")
    assert (slow["replica"], slow["task"]) == ("static-1", "generation")
    refused = [line for line in lines if line.get("code") == "invalid_api_key"]
    assert len(refused) == 10
    assert refused[0]["client"] == "127.0.0.1"
    assert "wrong-token" not in site.serve.said
    assert "secret code" not in site.serve.said


async def test_a_level_leaves_out_what_is_less_important(tmp_path: Path) -> None:
    async with serving_site(tmp_path, "--log-level", "info") as site:
        pass
    said = site.serve.said
    assert "s] listening on http://127.0.0.1:" in said
    assert said.count("static-1: up: ") == 1
    assert "INFO" not in said

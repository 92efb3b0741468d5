"""`cato why` beside a server that runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.contract.gateway.serving import cato
from tests.contract.gateway.site import serving_site


async def test_a_running_server_is_asked_why(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    async with serving_site(tmp_path, "--event-log", str(log)) as site:
        await site.post({"prompt": "x"}, x_request_id="quick")
        await site.fake.change(ttft_ms=400)
        body = {"prompt": "y", "stream": True, "max_tokens": 4}
        answer = await site.post(body, x_request_id="slow", x_slo_ttft_ms=100)
        assert answer.headers["x-request-id"] == "slow"
        told = await cato(tmp_path, "why", "slow", "--event-log", str(log), "--json")
        missing = await cato(tmp_path, "why", "other", "--event-log", str(log))
    explained: dict[str, Any] = json.loads(told.out)
    assert (explained["fate"], explained["outcome"]) == ("late", "late")
    assert explained["cause"] in ("unpredicted", "engine")
    assert explained["first_token_s"] >= 0.4
    (attempt,) = explained["attempts"]
    assert attempt["predicted"]["alone_s"] > 0
    assert attempt["ending"] == "finished"
    assert missing.status == 1
    assert "no request 'other' begins there" in missing.err

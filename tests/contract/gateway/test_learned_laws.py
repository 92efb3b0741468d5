"""What is learned of a replica: shown, exported as a profile, and there again after a restart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from cato_backend.profile_files.files import load_profile, read_profile_file
from cato_backend.profile_files.profile import EngineLimits, Profile, StepLaw
from cato_lab.emulator import Emulator, EmulatorOptions
from tests.contract.gateway.serving import cato, serving
from tests.contract.gateway.site import Site

pytestmark = pytest.mark.asyncio(loop_scope="package")

TERMS = {
    "base", "weights", "per_new_token", "per_sequence", "per_kv_token", "per_attention", "overhead",
}  # fmt: skip
MODEL = "coder"
LAW = StepLaw("additive", base=0.010, per_new_token=0.0001)
"""Of the emulated replica: 10 ms a token, and 110 ms for a prompt of 1,000."""


async def law(site: Site) -> dict[str, Any]:
    """What `/health` says of the only replica's law."""
    (replica,) = (await site.call("GET", "/health")).json["replicas"]
    return dict(replica["law"])


async def test_it_is_shown_exported_and_there_again_after_a_restart(tmp_path: Path) -> None:
    options = EmulatorOptions(Profile(MODEL, "emulated", LAW, EngineLimits()))
    async with Emulator(options) as engine, aiohttp.ClientSession() as http:
        async with serving(tmp_path, replicas=(engine.url,), calibrate=True) as serve:
            await serve.wait_said("static-1: calibrated in ")
            site = Site(serve, [], http)
            learned = await law(site)
            assert learned["token_ms"] == pytest.approx(10, rel=0.3)
            assert learned["prompt_1k_ms"] == pytest.approx(110, rel=0.3)
            assert 0 < learned["spread"] < 0.2
            assert learned["windows"] >= 10
            metrics = await site.metrics()
            terms = {labels for name, labels in metrics if name == "cato_law_term_seconds"}
            assert {set(labels) & TERMS != set() for labels in terms} == {True}
            assert len(terms) == len(TERMS)
            for name in ("cato_law_spread", "cato_law_noise", "cato_law_age_seconds"):
                assert metrics[name, ("static-1",)] > 0
            assert metrics["cato_law_windows", ("static-1",)] == learned["windows"]
            await exported(tmp_path, site, learned)
        state = tmp_path / "state" / "laws.json"
        assert state.stat().st_mode & 0o777 == 0o600
        async with serving(tmp_path, replicas=(engine.url,)) as serve:
            again = await law(Site(serve, [], http))
    assert again["token_ms"] == pytest.approx(learned["token_ms"], rel=0.05)
    assert again["windows"] == learned["windows"]
    assert again["age_s"] is None
    assert learned["spread"] <= again["spread"] < 0.3


async def exported(folder: Path, site: Site, learned: dict[str, Any]) -> None:
    path = folder / "learned.json"
    told = await cato(folder, "profile", "--from-backend", site.url, "--out", str(path))
    assert told.status == 0, told.err
    assert str(path) in told.out
    file = read_profile_file(path, MODEL)
    assert file.made.method == "learned"
    profile = load_profile(path)
    assert 1e3 * profile.law.seconds(1, 1, 500) == pytest.approx(learned["token_ms"], rel=0.01)
    assert profile.spread < 0.3
    planned = await cato(
        *(folder, "plan", "--rate", "1", "--profile", str(path), "--json"),
        *("--duration", "10", "--seeds", "1"),
    )
    assert planned.status in (0, 1), planned.err
    assert json.loads(planned.out)


async def test_a_replica_that_is_not_there_is_named(single: Site) -> None:
    answer = await single.call("GET", "/v1/replicas/static-9/profile")
    assert answer.status == 404
    assert "static-1" in answer.error["message"]


async def test_which_of_several_must_be_said(pair: Site, tmp_path: Path) -> None:
    arguments = ("profile", "--from-backend", pair.url, "--out", str(tmp_path / "p.json"))
    refused = await cato(tmp_path, *arguments)
    assert refused.status == 1
    assert "static-1, static-2" in refused.err
    told = await cato(tmp_path, *arguments, "--replica", "static-2")
    assert told.status == 0, told.err
    assert "p.json" in told.out


async def test_a_backend_that_is_not_there_is_named(tmp_path: Path) -> None:
    refused = await cato(tmp_path, "profile", "--from-backend", "http://127.0.0.1:9")
    assert refused.status == 1
    assert "http://127.0.0.1:9" in refused.err
    assert "Traceback" not in refused.err

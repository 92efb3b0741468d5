"""How well the step law of a real vLLM replica is learned: `cato serve` in front of the embedded
model on this CPU, under load, told nothing or the shipped profile, with and without calibration.

What it is compared with is what `cato profile` measures on the same engine afterwards, with the
machine as busy as it is. TTFT: what `x-cato-predicted-ms` said against what came.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from bench.embedded_serving import KEY, MODEL, Prompts, engine, wait_ready
from bench.machine import save
from bench.prediction import percentiles
from bench.prediction_live import Asked, Seen, ask, trace
from bench.processes import free_port, running, serve_command
from cato_backend.clock import monotonic
from cato_backend.commands.arguments import output_file
from cato_backend.embedded_model import verified_folder
from cato_backend.engines.environments import EngineKind, find_environment
from cato_backend.profile_files.profile import Form, StepLaw
from cato_backend.profiling.profile import Outcome, Subject, run_profile
from cato_backend.replicas.probe import describe
from cato_backend.wire.headers import Task

CHECKED_AT_S = (1.0, 4.0, 10.0, 60.0)
"""After the replica has come up; a calibration is over after 3 s, and the load begins then."""
_STARTS_S = 3.0
_SEQUENCES, _PROMPTS, _CONTEXT = (1, 2, 4, 8), (0, 64, 256, 768), 300
_CONFIG = """\
[scheduling]
calibrate = {calibrate}
[[replicas]]
url = "{url}"
token = "{token}"
profile = "{profile}"
"""


@dataclass(frozen=True, slots=True)
class Told:
    """One gateway."""

    profile: str
    """A file, or nothing."""
    calibrate: bool


@dataclass(frozen=True, slots=True)
class Watched:
    """The law that one gateway learned, and the errors of its predictions."""

    laws: dict[float, StepLaw]
    spreads: dict[float, float]
    sent: list[tuple[float, Seen]]


def steps() -> Iterator[tuple[int, int, int, float]]:
    """Decoding alone and with one prompt."""
    for sequences, prompt in product(_SEQUENCES, _PROMPTS):
        new, count = sequences + prompt, sequences + (prompt > 0)
        yield new, count, sequences * _CONTEXT + prompt, prompt**2 / 2


def errors_of(learned: StepLaw, measured: StepLaw) -> list[float]:
    """In percent, signed."""
    return [100 * (learned.seconds(*s) / measured.seconds(*s) - 1) for s in steps()]


async def law_of(session: aiohttp.ClientSession, url: str) -> tuple[StepLaw, float]:
    """The law that the gateway believes in now, and its spread."""
    async with session.get(f"{url}/metrics") as response:
        page = await response.text()
    terms: dict[str, float] = {}
    form: Form = "max"
    spread = float("nan")
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if sample.name == "cato_law_term_seconds":
                terms[sample.labels["term"]] = sample.value
                form = "max" if sample.labels["form"] == "max" else "additive"
            elif sample.name == "cato_law_spread":
                spread = sample.value
    del terms["overhead"]
    return StepLaw(form, **terms), spread


async def watched(session: aiohttp.ClientSession, url: str, requests: Sequence[Asked]) -> Watched:
    """Load, and a look at the belief now and then."""
    began = monotonic()
    laws: dict[float, StepLaw] = {}
    spreads: dict[float, float] = {}
    sent: list[tuple[float, Seen]] = []

    async def look(at_s: float) -> None:
        await asyncio.sleep(at_s - (monotonic() - began))
        laws[at_s], spreads[at_s] = await law_of(session, url)

    async def one(asked: Asked) -> None:
        at_s = asked.at_s + _STARTS_S
        await asyncio.sleep(at_s - (monotonic() - began))
        sent.append((at_s, await ask(session, url, asked)))

    await asyncio.gather(*map(look, CHECKED_AT_S), *map(one, requests))
    return Watched(laws, spreads, sent)


async def gateway(
    session: aiohttp.ClientSession, replica: str, told: Told, requests: Sequence[Asked]
) -> Watched:
    """A fresh gateway in front of the engine."""
    with tempfile.TemporaryDirectory() as folder:
        log, port = Path(folder) / "serve.log", free_port()
        config = log.with_suffix(".toml")
        calibrate = str(told.calibrate).lower()
        values = {"url": replica, "token": KEY, "profile": told.profile, "calibrate": calibrate}
        config.write_text(_CONFIG.format(**values))
        with running(serve_command(port, "--config", str(config)), log) as process:
            url = f"http://127.0.0.1:{port}"
            process.wait_for(f"{url}/v1/models", contains=b'"data":[{')
            return await watched(session, url, requests)


async def measured(session: aiohttp.ClientSession, url: str) -> Outcome:
    """What `cato profile --quick` finds."""
    replica = await describe(session, "live", url, model=MODEL, api_key=KEY)
    subject = Subject(replica, MODEL, "cpu", 64, 2048, start_s=60.0)
    return await run_profile(session, subject, lambda _: None, quick=True)


async def study(arguments: argparse.Namespace, url: str) -> dict[str, Any]:
    """Every gateway in turn, and what the profiler says."""
    prompts = Prompts(arguments.seed)
    shape = trace(250, 40, arguments.rate, arguments.requests, arguments.seed)
    options = [
        Told(profile, each) for profile in ("", *arguments.profile) for each in (False, True)
    ]
    found: list[tuple[Told, Watched]] = []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await wait_ready(session, url)
        for told in options:
            requests = [Asked(at, prompts.fresh(p), n, Task.GENERATION) for at, p, n in shape]
            found.append((told, await gateway(session, url, told, requests)))
        outcome = await measured(session, url)
    law, errors = outcome.fit.law, outcome.fit.held_out[outcome.fit.law.form]
    return {
        "requests_per_s": arguments.rate,
        "measured_law": repr(law),
        "profiler_error_percent": {"mean": round(errors.mean, 1), "p90": round(errors.p90, 1)},
        "profiler_spread_percent": round(outcome.campaign.spread_percent, 1),
        "gateways": [_row(told, watched, law) for told, watched in found],
    }


def _row(told: Told, seen: Watched, law: StepLaw) -> dict[str, Any]:
    row: dict[str, Any] = {
        "told": Path(told.profile).name or "nothing",
        "calibrated": told.calibrate,
    }
    for at_s, learned in seen.laws.items():
        errors = errors_of(learned, law)
        row[f"at_{at_s:g}_s"] = {
            "step_error_percent": round(float(np.mean(np.abs(errors))), 1),
            "step_bias_percent": round(float(np.mean(errors)), 1),
            "spread_percent": round(100 * seen.spreads[at_s], 1),
            "law": repr(learned),
        }
    for low, high in ((0.0, 10.0), (10.0, 30.0), (30.0, 1e9)):
        off = [
            100 * abs(each.predicted_s / each.observed_s - 1)
            for at_s, each in seen.sent
            if low <= at_s < high
        ]
        if off:
            row[f"ttft_error_percent_from_{low:g}_s"] = percentiles(off)
    return row


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", nargs="*", default=[], help="files that gateways are told")
    parser.add_argument("--rate", type=float, default=1.5)
    parser.add_argument("--requests", type=int, default=90)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=output_file)
    arguments = parser.parse_args()
    cores = tuple(sorted(os.sched_getaffinity(0)))[:-1] or (0,)
    python = find_environment(EngineKind.CPU).python
    with engine(python, verified_folder(), cores, ("--max-num-seqs", "64")) as (url, _):
        found = asyncio.run(study(arguments, url))
    print(json.dumps(found, indent=1))
    if arguments.json:
        save(arguments.json, found)


if __name__ == "__main__":
    main()

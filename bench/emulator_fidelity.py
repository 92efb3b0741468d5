"""One trace against the real vLLM and against `cato emulate` with its profile; see README.md."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from bench.embedded_serving import FIRST_PLAIN_ID, KEY, MODEL, VOCABULARY, engine, wait_ready
from bench.processes import running
from cato_backend.commands.arguments import output_file
from cato_backend.embedded_model import verified_folder
from cato_backend.engines.environments import EngineKind, find_environment

AIM = 0.10
METRICS = ("ttft p50", "ttft p95", "e2e p50", "e2e p95")
DOCUMENTS = 6
"""Prompts are starts of so many documents, so that some of each prompt is cached."""
MOST_PROMPT, MOST_OUTPUT = 1600, 64


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request of the trace."""

    at_s: float
    document: int
    shared: int
    """Tokens from the document's start; `own` further ones belong to this request alone."""
    own: int
    output: int
    priority: int

    def prompt(self, run: int) -> list[int]:
        """Token ids. Each run has its own, so that none finds the cache of another."""
        return [
            *_ids(f"document {run} {self.document}", self.shared),
            *_ids(f"own {run} {self.at_s}", self.own),
        ]


_LONE = Arrival(0.0, -1, 0, 16, 1, 0)


def _ids(seed: str, count: int) -> list[int]:
    rng = random.Random(seed)
    return [rng.randrange(FIRST_PLAIN_ID, VOCABULARY) for _ in range(count)]


def trace(seconds: float, rate: float, seed: int) -> list[Arrival]:
    """Poisson arrivals: short and long prompts and answers, three priorities."""
    rng = random.Random(seed)
    arrivals: list[Arrival] = []
    at_s = rng.expovariate(rate)
    while at_s < seconds:
        shared = rng.randrange(MOST_PROMPT - 200)
        arrival = Arrival(
            at_s,
            rng.randrange(DOCUMENTS),
            shared,
            rng.randrange(16, 200),
            rng.randrange(1, MOST_OUTPUT),
            rng.randrange(3),
        )
        arrivals.append(arrival)
        at_s += rng.expovariate(rate)
    return arrivals


async def replay(url: str, arrivals: Sequence[Arrival], run: int) -> dict[str, float]:
    """Open loop: each request at its time. Percentiles in milliseconds, over all requests."""
    prompts = [arrival.prompt(run) for arrival in arrivals]
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        await _complete(session, url, 0.0, Arrival(0.0, -1, 500, 16, 8, 0), _ids(str(run), 516))
        began = time.monotonic()
        requests = (
            _complete(session, url, began, arrival, prompt)
            for arrival, prompt in zip(arrivals, prompts, strict=True)
        )
        times = await asyncio.gather(*requests)
    return _percentiles([ttft for ttft, _ in times], [e2e for _, e2e in times])


async def alone(url: str, count: int = 30) -> float:
    """Median seconds to the first token of a short prompt that has the engine to itself."""
    async with aiohttp.ClientSession() as session:
        times = [
            (await _complete(session, url, 0.0, _LONE, _ids(f"alone {number}", 16)))[0]
            for number in range(count)
        ]
    return statistics.median(times)


async def _ready(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        await wait_ready(session, url)


async def _complete(
    session: aiohttp.ClientSession, url: str, began: float, arrival: Arrival, prompt: list[int]
) -> tuple[float, float]:
    """Seconds from the time at which it was due to the first token and to the last."""
    body: dict[str, Any] = {
        "model": MODEL,
        "prompt": prompt,
        "max_tokens": arrival.output,
        "priority": arrival.priority,
        "temperature": 0,
        "ignore_eos": True,
        "stream": True,
    }
    due = began + arrival.at_s if began else time.monotonic()
    await asyncio.sleep(max(0.0, due - time.monotonic()))
    headers = {"authorization": f"Bearer {KEY}"}
    first = last = 0.0
    async with session.post(f"{url}/v1/completions", json=body, headers=headers) as response:
        response.raise_for_status()
        async for line in response.content:
            if line.startswith(b"data: {"):
                last = time.monotonic()
                first = first or last
    return first - due, last - due


def _percentiles(ttft_s: list[float], e2e_s: list[float]) -> dict[str, float]:
    cut = {
        "ttft": statistics.quantiles(ttft_s, n=20, method="inclusive"),
        "e2e": statistics.quantiles(e2e_s, n=20, method="inclusive"),
    }
    at = {"p50": 9, "p95": 18}
    return {name: cut[name.split()[0]][at[name.split()[1]]] * 1000 for name in METRICS}


def measured_profile(url: str, folder: Path) -> Path:
    """A profile of that very engine, as it is now."""
    token, profile = folder / "token", folder / "profile.json"
    token.write_text(KEY)
    command = [sys.executable, "-m", "cato_backend", "profile", "--url", url, "--quick"]
    options = {
        "--served-model": MODEL,
        "--token-file": str(token),
        "--hardware": "here",
        "--out": str(profile),
        "--rounds": "5",
    }
    words = [word for option in options.items() for word in option]
    subprocess.run([*command, *words], check=True, stdout=sys.stderr)
    return profile


@contextmanager
def emulated(profile: Path, folder: Path, request_s: float = 0.0) -> Iterator[str]:
    """`cato emulate` with the profile; `request_s`: a request's way to the engine."""
    command = [sys.executable, "-m", "cato_backend", "emulate", "--port", "0", "--model", MODEL]
    way = ["--request-ms", str(request_s * 1000)]
    with running([*command, "--profile", str(profile), *way], folder / "emulator.log") as process:
        yield process.first_line()


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Both, twice each, the real one first. Without a profile, the engine's is measured before."""
    with tempfile.TemporaryDirectory() as folder:
        return _run(arguments, Path(folder))


def _run(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    arrivals = trace(arguments.seconds, arguments.rate, arguments.seed)
    python = arguments.engine_python or find_environment(EngineKind.CPU).python
    extra = tuple(arguments.engine_args.split())
    runs: dict[str, dict[str, float]] = {}
    with engine(python, verified_folder(), tuple(arguments.cores), extra) as (url, _):
        asyncio.run(_ready(url))
        profile = arguments.profile or measured_profile(url, folder)
        real_s = asyncio.run(alone(url))
        for number in (1, 2):
            runs[f"vLLM, run {number}"] = asyncio.run(replay(url, arrivals, number))
            print(f"vLLM, run {number}: done", file=sys.stderr)
    with emulated(profile, folder) as url:
        request_s = max(0.0, real_s - asyncio.run(alone(url)))
    for number in (1, 2):
        with emulated(profile, folder, request_s) as url:
            runs[f"emulated, run {number}"] = asyncio.run(replay(url, arrivals, number))
    law = json.loads(profile.read_text())["law"]
    return {
        "law": law,
        "request, ms": round(request_s * 1000, 2),
        "cores": arguments.cores,
        "requests": len(arrivals),
        "rate": arguments.rate,
        "seed": arguments.seed,
        "runs": runs,
        "compared": {name: _compared(name, runs) for name in METRICS},
        "load average at the end": os.getloadavg()[0],
    }


def _compared(metric: str, runs: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """How far the emulator is from the real one, beside how far the real one is from itself."""
    real = [runs[f"vLLM, run {number}"][metric] for number in (1, 2)]
    own = [runs[f"emulated, run {number}"][metric] for number in (1, 2)]
    middle = statistics.mean(real)
    spread = abs(real[0] - real[1]) / middle
    error = (statistics.mean(own) - middle) / middle
    return {
        "error": round(error, 3),
        "real spread": round(spread, 3),
        "within aim": abs(error) <= max(AIM, spread),
    }


def _print(result: Mapping[str, Any]) -> None:
    print(f"| ms, {result['requests']} requests at {result['rate']}/s |", *METRICS, sep=" | ")
    for name, row in result["runs"].items():
        print("|", name, *(f"| {row[metric]:.0f}" for metric in METRICS), "|")
    compared = result["compared"]
    print("| error |", " | ".join(f"{compared[m]['error']:+.0%}" for m in METRICS), "|")
    print("| real spread |", " | ".join(f"{compared[m]['real spread']:.0%}" for m in METRICS), "|")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--profile", type=Path, help="of this machine's engine; measured first unless given"
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the trace")
    parser.add_argument("--rate", type=float, default=3.0, help="requests per second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine-python", type=Path, help="another engine than the installed one")
    parser.add_argument("--engine-args", default="", help="more arguments for vLLM")
    parser.add_argument(
        "--cores",
        type=int,
        nargs="*",
        default=sorted(os.sched_getaffinity(0)),
        help="that compute; as when the profile was made",
    )
    parser.add_argument("--json", type=output_file)
    arguments = parser.parse_args()
    result = run(arguments)
    _print(result)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""How true the gateway's predictions come on a real vLLM replica: `cato serve` in front of the
embedded model on this CPU, under load.

The same requests come twice. Half are promised a first token, half a whole answer; predicted is
what `x-cato-predicted-ms` says, observed what remains of the client's time without the queue of
the gateway. The second run is compared with its predictions, and with the first: what a replica
does not repeat cannot be predicted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import numpy as np

from bench.embedded_serving import KEY, MODEL, Prompts, engine, wait_ready
from bench.machine import save
from bench.processes import free_port, running, serve_command
from cato_backend.clock import monotonic
from cato_backend.commands.arguments import output_file
from cato_backend.embedded_model import verified_folder
from cato_backend.engines.environments import EngineKind, find_environment
from cato_backend.wire import headers as names
from cato_backend.wire.headers import Task

RUNS = 2
_CONFIG = """\
[[replicas]]
url = "{url}"
token = "{token}"
profile = "{profile}"
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of the trace."""

    at_s: float
    prompt: list[int]
    tokens: int
    task: Task


@dataclass(frozen=True, slots=True)
class Seen:
    """What was predicted of a request's promised token, and how long it took."""

    task: Task
    predicted_s: float
    observed_s: float


def trace(
    prompt: int, tokens: int, rate: float, count: int, seed: int
) -> list[tuple[float, int, int]]:
    """Times, prompt lengths and output lengths, around the medians given."""
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.exponential(1 / rate, count))
    prompts = np.clip(rng.lognormal(np.log(prompt), 0.8, count), 16, 1500).astype(int)
    outputs = np.clip(rng.lognormal(np.log(tokens), 0.7, count), 2, 400).astype(int)
    return [
        (float(at), int(long), int(out))
        for at, long, out in zip(times, prompts, outputs, strict=True)
    ]


async def replay(session: aiohttp.ClientSession, url: str, requests: Sequence[Asked]) -> list[Seen]:
    """Sends the requests at their times, follows all of them to their ends."""
    began = monotonic()

    async def one(asked: Asked) -> Seen:
        await asyncio.sleep(asked.at_s - (monotonic() - began))
        return await ask(session, url, asked)

    return await asyncio.gather(*(one(asked) for asked in requests))


async def ask(session: aiohttp.ClientSession, url: str, asked: Asked) -> Seen:
    """One stream through the gateway."""
    body = {
        "model": MODEL,
        "prompt": asked.prompt,
        "max_tokens": asked.tokens,
        "temperature": 0,
        "ignore_eos": True,
        "stream": True,
    }
    sent = first = last = monotonic()
    headers = {names.TASK: asked.task.value}
    async with session.post(f"{url}/v1/completions", json=body, headers=headers) as response:
        response.raise_for_status()
        queued_s = float(response.headers[names.QUEUE_MS]) / 1e3
        predicted_s = float(response.headers[names.PREDICTED_MS]) / 1e3
        async for line in response.content:
            if line.startswith(b"data: {"):
                last = monotonic()
                first = last if first == sent else first
    promised = first if asked.task is Task.GENERATION else last
    return Seen(asked.task, predicted_s, promised - sent - queued_s)


def errors(found: Sequence[float], expected: Sequence[float]) -> dict[str, float]:
    """Median and P90 of the absolute relative differences, in percent."""
    off = 100 * np.abs(np.array(found) / np.array(expected) - 1)
    return {"p50": round(float(np.median(off)), 1), "p90": round(float(np.percentile(off, 90)), 1)}


def compared(first: Sequence[Seen], second: Sequence[Seen]) -> dict[str, object]:
    """The second run against its predictions, and against the first."""
    observed = [seen.observed_s for seen in second]
    return {
        "requests": len(second),
        "observed_ms_p50": round(1e3 * float(np.median(observed)), 1),
        "error_percent": errors([seen.predicted_s for seen in second], observed),
        "from_run_to_run_percent": errors([seen.observed_s for seen in first], observed),
    }


async def study(arguments: argparse.Namespace, url: str) -> dict[str, object]:
    """Both runs and their comparison."""
    prompts = Prompts(arguments.seed)
    shape = trace(250, 40, arguments.rate, arguments.requests, arguments.seed)
    tasks = (Task.GENERATION, Task.SUMMARIZATION)
    runs: list[list[Seen]] = []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        for _ in range(RUNS):
            requests = [
                Asked(at, prompts.fresh(long), out, tasks[number % 2])
                for number, (at, long, out) in enumerate(shape)
            ]
            runs.append(await replay(session, url, requests))
    by_task = [[[s for s in run if s.task is task] for run in runs] for task in tasks]
    return {
        "requests_per_s": arguments.rate,
        "ttft": compared(*by_task[0]),
        "e2e": compared(*by_task[1]),
    }


async def measure(arguments: argparse.Namespace, replica: str) -> dict[str, object]:
    """Waits for the engine, and puts the load on a gateway in front of it."""
    async with aiohttp.ClientSession() as session:
        await wait_ready(session, replica)
    with tempfile.TemporaryDirectory() as folder:
        log, port = Path(folder) / "serve.log", free_port()
        config = log.with_suffix(".toml")
        profile = arguments.profile.resolve() if arguments.profile else ""
        config.write_text(_CONFIG.format(url=replica, token=KEY, profile=profile))
        with running(serve_command(port, "--config", str(config)), log) as process:
            url = f"http://127.0.0.1:{port}"
            process.wait_until_it_completes(url, MODEL)
            return await study(arguments, url)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", type=Path, help="what the gateway is told; nothing if absent")
    parser.add_argument("--rate", type=float, default=2.0)
    parser.add_argument("--requests", type=int, default=120)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=output_file)
    arguments = parser.parse_args()
    cores = tuple(sorted(os.sched_getaffinity(0)))[:-1] or (0,)
    limits = ("--max-num-seqs", "64")
    python = find_environment(EngineKind.CPU).python
    with engine(python, verified_folder(), cores, limits) as (url, _):
        found = asyncio.run(measure(arguments, url))
    print(json.dumps(found, indent=2))
    if arguments.json:
        save(arguments.json, found)


if __name__ == "__main__":
    main()

"""The embedded model on vLLM's CPU engine: `python -m bench.embedded_serving`.

Starts vLLM with the flags that `cato serve` gives it, on the shipped weights. Measures start-up,
memory, TTFT of a prompt of 1,000 tokens and tokens/s, alone and with 8 at once, cold and with the
prefix cached. The prompts are random tokens, so that none is cached by chance.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from bench.machine import save
from bench.processes import free_port
from cato_backend.commands.arguments import output_file
from cato_backend.embedded_model import verified_folder
from cato_backend.engines.command import EngineSpec, ModelSpec, Port, invocation
from cato_backend.engines.environments import EngineKind, find_environment

MODEL = "cato-embedded"
START_TIMEOUT_S = 600.0
FIRST_PLAIN_ID, VOCABULARY = 300, 8192
KEY = "bench"


@dataclass(frozen=True, slots=True)
class Stream:
    """One completion: request to first token, and first to last, in seconds."""

    ttft_s: float
    decode_s: float
    tokens: int


def family_of(pid: int) -> list[int]:
    """The process and all that descend from it."""
    found = [pid]
    for parent in found:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            found += [int(child) for child in children.read_text().split()]
    return found


def memory_mib(pid: int) -> float:
    """Proportional set size of the process and its descendants (shared pages counted once)."""
    total = 0
    for member in family_of(pid):
        for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1024


@contextmanager
def engine(
    python: Path, folder: Path, cores: tuple[int, ...], arguments: tuple[str, ...]
) -> Iterator[tuple[str, int]]:
    """vLLM with the flags that `cato serve` gives it: URL and process id; ended by id."""
    port = free_port()
    spec = EngineSpec(EngineKind.CPU, python, cores=cores, arguments=arguments)
    start = invocation(ModelSpec(MODEL, str(folder)), spec, Port(port), KEY)
    with tempfile.TemporaryFile() as log:
        environment = os.environ | start.environment
        process = subprocess.Popen(start.argv, env=environment, stdout=log, stderr=log)
        try:
            yield f"http://127.0.0.1:{port}", process.pid
        finally:
            process.terminate()
            process.wait(30)


async def wait_ready(session: aiohttp.ClientSession, url: str) -> None:
    """Returns when the engine is healthy. Raises TimeoutError."""
    async with asyncio.timeout(START_TIMEOUT_S):
        while True:
            try:
                async with session.get(f"{url}/health") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.2)


async def complete(
    session: aiohttp.ClientSession, url: str, prompt: Sequence[int], tokens: int
) -> Stream:
    """One greedy stream of exactly `tokens` tokens."""
    body = {
        "model": MODEL,
        "prompt": list(prompt),
        "max_tokens": tokens,
        "temperature": 0,
        "ignore_eos": True,
        "stream": True,
    }
    headers = {"authorization": f"Bearer {KEY}"}
    started = time.monotonic()
    first = last = started
    async with session.post(f"{url}/v1/completions", json=body, headers=headers) as response:
        response.raise_for_status()
        async for line in response.content:
            if line.startswith(b"data: {"):
                last = time.monotonic()
                first = last if first == started else first
    return Stream(first - started, last - first, tokens)


class Prompts:
    """Prompts of random token ids: equally costly, and never cached unless sent twice."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)

    def fresh(self, length: int) -> list[int]:
        """A prompt of `length` tokens."""
        return [self._rng.randrange(FIRST_PLAIN_ID, VOCABULARY) for _ in range(length)]


def spread(values: Sequence[float], digits: int = 0) -> str:
    """Median (least to most)."""
    middle, least, most = statistics.median(values), min(values), max(values)
    return f"{middle:.{digits}f} ({least:.{digits}f} to {most:.{digits}f})"


async def together(
    session: aiohttp.ClientSession, url: str, prompts: Sequence[Sequence[int]], tokens: int
) -> tuple[float, float]:
    """All prompts at once: median TTFT in seconds, and tokens/s of all of them together."""
    started = time.monotonic()
    streams = await asyncio.gather(*(complete(session, url, p, tokens) for p in prompts))
    rate = len(prompts) * tokens / (time.monotonic() - started)
    return statistics.median(stream.ttft_s for stream in streams), rate


async def measure(url: str, repeats: int) -> dict[str, str]:
    """Every figure of the table but start-up and memory."""
    prompts = Prompts(seed=0)
    rows: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        rows.setdefault(name, []).append(value)

    async with aiohttp.ClientSession() as session:
        await complete(session, url, prompts.fresh(1000), 8)
        for _ in range(repeats):
            prompt = prompts.fresh(1000)
            for state in ("cold", "cached"):
                stream = await complete(session, url, prompt, 64)
                note(f"TTFT, 1,000-token prompt, {state}, ms", stream.ttft_s * 1000)
                note("tokens/s, alone", (stream.tokens - 1) / stream.decode_s)
            batch = [prompts.fresh(1000) for _ in range(8)]
            for state in ("cold", "cached"):
                ttft_s, rate = await together(session, url, batch, 64)
                note(f"TTFT, 8 at once, {state}, ms", ttft_s * 1000)
                note(f"tokens/s, 8 at once, {state}, prefill included", rate)
    return {name: spread(values) for name, values in rows.items()}


async def run(arguments: argparse.Namespace) -> dict[str, str]:
    """Start the engine, measure, end it."""
    folder = verified_folder()
    extra = tuple(arguments.engine_args.split())
    started = time.monotonic()
    python = arguments.engine_python or find_environment(EngineKind.CPU).python
    with engine(python, folder, tuple(arguments.cores), extra) as (url, pid):
        async with aiohttp.ClientSession() as session:
            await wait_ready(session, url)
        start_up = time.monotonic() - started
        idle = memory_mib(pid)
        figures = await measure(url, arguments.repeats)
        most = memory_mib(pid)
    return {
        "start-up, s": f"{start_up:.1f}",
        "memory after the start, MiB": f"{idle:.0f}",
        "memory after the load, MiB": f"{most:.0f}",
        **figures,
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--engine-python", type=Path, help="another engine than that of `cato engine install cpu`"
    )
    parser.add_argument(
        "--cores",
        type=int,
        nargs="*",
        default=sorted(os.sched_getaffinity(0)),
        help="that compute; all of this machine's unless given",
    )
    parser.add_argument("--engine-args", default="", help="more arguments for vLLM")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--json", type=output_file)
    arguments = parser.parse_args()
    figures = asyncio.run(run(arguments))
    figures["load average before the end"] = f"{os.getloadavg()[0]:.1f}"
    for name, value in figures.items():
        print(f"| {name} | {value} |")
    if arguments.json:
        save(arguments.json, {"figures": figures}, ())


if __name__ == "__main__":
    main()

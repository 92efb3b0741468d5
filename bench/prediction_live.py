"""How true predictions come on a real vLLM replica: the embedded model on this CPU, under load.

The same requests come twice. The first time teaches what is corrected online; the second time is
compared with its predictions, and with the first: what a replica does not repeat cannot be
predicted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import numpy as np

from bench.embedded_serving import KEY, MODEL, engine, wait_ready
from cato_backend.embedded_model import verified_folder
from cato_backend.engines.environments import find_environment
from cato_backend.engines.pins import EngineKind
from cato_backend.prediction.replica import ReplicaPredictor
from cato_backend.prediction.service import ReplicaState, Work
from cato_backend.profile_files.files import load_profile
from cato_backend.profiling.engine_clock import Clock, engine_clock
from cato_backend.profiling.prompts import prompts_for
from cato_backend.profiling.stream import ReplicaClient, TokenStream
from cato_backend.replicas.probe import describe

USUAL_S = 30.0


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of the trace."""

    at_s: float
    prompt: list[int]
    tokens: int


@dataclass(frozen=True, slots=True)
class Sent:
    """A request under way, with what was predicted when it was sent."""

    asked: Asked
    stream: TokenStream
    state: ReplicaState
    law_ttft_s: float
    ttft_s: float
    e2e_s: float


class Observer:
    """What a gateway knows of the replica."""

    def __init__(self, predictor: ReplicaPredictor, clock: Clock) -> None:
        self._predictor = predictor
        self._clock = clock
        self._flights: list[Sent] = []
        self._tokens: list[tuple[float, int]] = []

    def send(self, asked: Asked, stream: TokenStream) -> Sent:
        """Predicts the times of a request that is sent now."""
        state = self._state()
        work = Work(len(asked.prompt), output=asked.tokens)
        sent = Sent(
            asked,
            stream,
            state,
            self._predictor.service.ttft_s(state, work),
            self._predictor.ttft_s(state, work),
            self._predictor.e2e_s(state, work),
        )
        self._flights.append(sent)
        self._tokens.append((stream.sent_at, len(asked.prompt)))
        return sent

    def learn(self, sent: Sent) -> None:
        """The answer is whole."""
        self._flights.remove(sent)
        self._predictor.observe_first(sent.law_ttft_s, max(1e-4, sent.stream.ttft_s))
        arrivals = sent.stream.arrivals
        mean = (arrivals[-1] - arrivals[0]) / max(1, len(arrivals) - 1)
        decoding, kv_tokens = sent.state.decoding + 1, sent.state.kv_tokens
        law = self._predictor.service.token_s(decoding, kv_tokens, sent.state.prefill_rate)
        if mean > 0:
            self._predictor.observe_token(law, mean)

    def _state(self) -> ReplicaState:
        now = self._clock()
        started = [f for f in self._flights if f.stream.arrivals]
        waiting = [f for f in self._flights if not f.stream.arrivals]
        last = max((f.stream.arrivals[-1] for f in started), default=None)
        computing = [f for f in waiting if last is not None and f.stream.sent_at < last]
        self._tokens = [(at, tokens) for at, tokens in self._tokens if at > now - USUAL_S]
        return ReplicaState(
            decoding=len(started),
            kv_tokens=sum(len(f.asked.prompt) + len(f.stream.arrivals) for f in started),
            pending_prefill=sum(len(f.asked.prompt) for f in waiting),
            unstarted=len(waiting),
            prefill_rate=sum(tokens for _, tokens in self._tokens) / USUAL_S,
            computing=sum(len(f.asked.prompt) for f in computing),
            since_step_s=None if last is None else now - last,
        )


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


async def replay(
    client: ReplicaClient, observer: Observer, requests: Sequence[Asked]
) -> list[Sent]:
    """Sends the requests at their times, follows all of them to their ends."""
    began = asyncio.get_running_loop().time()

    async def one(asked: Asked) -> Sent:
        await asyncio.sleep(asked.at_s - (asyncio.get_running_loop().time() - began))
        stream = client.begin(asked.prompt)
        sent = observer.send(asked, stream)
        await client.follow(stream, asked.prompt, asked.tokens)
        observer.learn(sent)
        return sent

    return await asyncio.gather(*(one(asked) for asked in requests))


def errors(found: Sequence[float], expected: Sequence[float]) -> dict[str, float]:
    """Median and P90 of the absolute relative differences, in percent."""
    off = 100 * np.abs(np.array(found) / np.array(expected) - 1)
    return {"p50": round(float(np.median(off)), 1), "p90": round(float(np.percentile(off, 90)), 1)}


def e2e_s(sent: Sent) -> float:
    """What it took from sending to the last token."""
    return sent.stream.arrivals[-1] - sent.stream.sent_at


async def study(arguments: argparse.Namespace, url: str, pid: int) -> dict[str, object]:
    """Both runs and their comparison."""
    predictor = ReplicaPredictor(load_profile(arguments.profile))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await wait_ready(session, url)
        replica = await describe(session, "live", url, model=MODEL, api_key=KEY)
        prompts = await prompts_for(session, replica, arguments.seed)
        await ReplicaClient(session, replica).complete(prompts.fresh(300), 300)
        clock = engine_clock(pid)
        client, observer = ReplicaClient(session, replica, clock), Observer(predictor, clock)
        runs: list[list[Sent]] = []
        for _ in range(2):
            shape = trace(250, 40, arguments.rate, arguments.requests, arguments.seed)
            requests = [Asked(at, prompts.fresh(long), out) for at, long, out in shape]
            runs.append(await replay(client, observer, requests))
    first, second = runs
    ttft, e2e = [s.stream.ttft_s for s in second], [e2e_s(s) for s in second]
    return {
        "requests": len(second),
        "requests_per_s": arguments.rate,
        "ttft_ms_p50": round(1e3 * float(np.median(ttft)), 1),
        "e2e_ms_p50": round(1e3 * float(np.median(e2e)), 1),
        "ttft_error_percent": errors([s.ttft_s for s in second], ttft),
        "ttft_from_run_to_run_percent": errors([s.stream.ttft_s for s in first], ttft),
        "e2e_error_percent": errors([s.e2e_s for s in second], e2e),
        "e2e_from_run_to_run_percent": errors([e2e_s(s) for s in first], e2e),
        "load_average": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("profile", type=Path)
    parser.add_argument("--rate", type=float, default=2.0)
    parser.add_argument("--requests", type=int, default=120)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    cores = tuple(sorted(os.sched_getaffinity(0)))[:-1] or (0,)
    limits = ("--max-num-seqs", "64")
    python = find_environment(EngineKind.CPU).python
    with engine(python, verified_folder(), cores, limits) as (url, pid):
        found = asyncio.run(study(arguments, url, pid))
    print(json.dumps(found, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

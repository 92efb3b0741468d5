"""`python -m tests.fakes.vllm`: the fake as a process; its first line of output is its URL."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import signal

import uvloop

from tests.fakes.vllm.script import Script
from tests.fakes.vllm.server import FakeVllm


def _arguments() -> argparse.Namespace:
    default = Script()
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.vllm", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--model", default=default.model)
    parser.add_argument("--max-model-len", type=int, default=default.max_model_len)
    parser.add_argument("--max-num-seqs", type=int, default=default.max_num_seqs)
    parser.add_argument("--ttft-ms", type=float, default=default.ttft_ms)
    parser.add_argument("--itl-ms", type=float, default=default.itl_ms)
    parser.add_argument("--reply", help="the text to answer with")
    parser.add_argument("--stamped", action="store_true", help="tokens are send times (ns)")
    parser.add_argument(
        "--script", type=json.loads, default={}, help="more fields of the script, as JSON"
    )
    return parser.parse_args()


async def _serve(arguments: argparse.Namespace) -> None:
    values = dict(vars(arguments))
    port, more = values.pop("port"), values.pop("script")
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with FakeVllm(Script(**values).changed(more), port=port) as fake:
        print(fake.url, flush=True)
        print(fake.control_url, flush=True)
        await stop.wait()


if __name__ == "__main__":
    gc.freeze()  # A full collection of what is loaded would stall every stream.
    uvloop.run(_serve(_arguments()))

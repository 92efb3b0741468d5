"""`cato profile` against an emulated replica, and against what is no vLLM."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from cato_backend.__main__ import main
from cato_backend.errors import EngineError
from cato_backend.profile_files.files import load_profile
from cato_backend.profiling.cells import CellSetup, Chunk
from cato_backend.profiling.measure import Prompts, measure
from cato_backend.profiling.profile import ask_facts
from cato_backend.profiling.stream import (
    ReplicaClient,
    ServerUnreachable,
    TokenStream,
)
from cato_backend.replicas.core_waits import engine_clock
from cato_backend.replicas.replica import Replica

TRUTH = ["--step-ms", "4", "--token-ms", "0.02", "--max-model-len", "2048", "--kv-tokens", "65536"]


@pytest.fixture
def emulator() -> Iterator[str]:
    """The URL of an emulated replica."""
    command = [sys.executable, "-m", "cato_backend", "emulate", "--port", "0", *TRUTH]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
            process.wait(10)


def test_a_quick_profile_of_an_emulated_replica_is_measured_fitted_and_written(
    emulator: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {name: tmp_path / name for name in ("profile.json", "samples.json", "plot.svg")}
    profile_json, samples_json, plot_svg = map(str, files.values())
    arguments = ["--url", emulator, "--quick", "--rounds", "1", "--hardware", "emulated"]
    arguments += ["--out", profile_json]
    assert main(["profile", *arguments, "--samples", samples_json, "--plot", plot_svg]) == 0
    profile = load_profile(files["profile.json"])
    assert (profile.model, profile.hardware) == ("cato-emulated", "emulated")
    assert profile.limits.kv_tokens == 65_536
    # How near the truth it comes is for bench/: one round on a busy machine tells little.
    assert profile.law.seconds(1024, 1, 1024, 1024**2 / 2) > 0
    cells = json.loads(files["samples.json"].read_text())
    assert {cell["kind"] for cell in cells} == {"decode", "prefill", "cached"}
    assert "<svg" in files["plot.svg"].read_text()
    printed = capsys.readouterr()
    assert "Steps that the law was not fitted to" in printed.out
    assert "s left" in printed.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--url", "http://127.0.0.1:9"], "http://127.0.0.1:9: the connection was refused"),
        (["--url", "http://127.0.0.1:9", "--token-file", "/none"], "/none: No such file"),
        (["--model", "./nowhere"], "model ./nowhere: there is no such folder"),
    ],
)
def test_what_cannot_be_profiled_is_named(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["profile", *arguments]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ("", "has no vllm:cache_config_info"),
        ('vllm:cache_config_info{block_size="NaN"} 1.0\n', "block_size is 'NaN', not a number"),
        ('vllm:cache_config_info{block_size="16"} 1.0\n', "kv_cache_size_tokens is ''"),
        ('vllm:cache_config_info{block_size="16"', "cannot be read"),
    ],
)
async def test_metrics_that_make_no_sense_are_named(metrics: str, said: str) -> None:
    async def answer(request: web.Request) -> web.Response:
        if request.path == "/version":
            return web.json_response({"version": "1"})
        return web.Response(text=metrics)

    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        replica = Replica("r", f"http://{host}:{port}", "m", 2048)
        async with aiohttp.ClientSession() as session:
            with pytest.raises(EngineError) as error:
                await ask_facts(session, replica, 64, 2048)
    finally:
        await runner.cleanup()
    assert said in str(error.value)


def test_the_engines_clock_runs_on_but_never_faster_than_time() -> None:
    from time import monotonic, process_time

    command = [sys.executable, "-c", "print(flush=True)\nwhile True: pass"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as busy:
        assert busy.stdout is not None
        try:
            busy.stdout.readline()
            clock, began, until = engine_clock(busy.pid), monotonic(), process_time() + 0.1
            first = clock()
            while process_time() < until:
                pass
            passed = clock() - first
            assert 0 < passed <= monotonic() - began
        finally:
            busy.kill()
            busy.wait(10)


class Flaky(ReplicaClient):
    """A client whose first prompts among those that decode do not come through."""

    breaks = 0

    async def complete(self, prompt: Sequence[int], tokens: int) -> TokenStream:
        if self.breaks:
            self.breaks -= 1
            raise ServerUnreachable("the connection broke")
        return await super().complete(prompt, tokens)


@pytest.mark.parametrize(("breaks", "measured"), [(1, True), (100, False)])
async def test_a_connection_that_breaks_is_tried_again(
    emulator: str, breaks: int, measured: bool
) -> None:
    setup = CellSetup(2, 100, (Chunk(64),), 200, held_out=False)
    async with aiohttp.ClientSession() as session:
        client = Flaky(session, Replica("r", emulator, "cato-emulated", 2048))
        client.breaks = breaks
        prompts = Prompts(list(range(100, 200)), seed=1)
        if measured:
            assert [r.cell.kind for r in await measure(client, prompts, setup, 8)] == [
                "decode",
                "prefill",
            ]
        else:
            with pytest.raises(ServerUnreachable, match="the connection broke"):
                await measure(client, prompts, setup, 8)

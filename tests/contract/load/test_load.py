"""`cato load` against servers that behave, misbehave and refuse: the score tells what happened."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from cato_backend.errors import ConfigError
from cato_backend.requests import Target
from cato_backend.wire.headers import Task
from cato_lab.emulator import Behaviour, Emulator, EmulatorOptions, ErrorForm, Fault, FaultKind
from cato_lab.load_test import HeaderStyle, Lengths, LoadOptions, LoadRun, Server, run_load
from cato_lab.scoring.outcome import Ending, Outcome
from cato_lab.simulation.fleet import REFERENCE
from cato_lab.workloads import Arrival
from tests.contract.gateway.serving import environment, serving
from tests.fakes import fake_vllm
from tests.fast.simulation.stories import Listed, arrival

MODEL = "cato-embedded"
_BLOCKS = tuple(range(100, 120))
_OPTIONS = LoadOptions(drain_s=5.0)
_IMPATIENT = LoadOptions(drain_s=5.0, silence_s=0.5)


async def _load(
    url: str,
    *asked: Arrival,
    style: HeaderStyle = HeaderStyle.NONE,
    model: str = MODEL,
    options: LoadOptions = _OPTIONS,
) -> LoadRun:
    server = Server(url, model, style=style)
    return await run_load(Listed(asked), 1, server, options)


def _by_id(run: LoadRun) -> dict[str, Outcome]:
    return {outcome.arrival.id: outcome for outcome in run.outcomes}


async def test_answers_have_their_length_and_prompts_their_prefixes() -> None:
    longer = (*_BLOCKS, 7)
    async with fake_vllm(Behaviour(itl_ms=5)) as fake:
        run = await _load(
            fake.url,
            arrival("a", 0.0, prompt_tokens=325, output_tokens=12, blocks=_BLOCKS),
            arrival("b", 0.3, prompt_tokens=336, output_tokens=3, blocks=longer),
            arrival("c", 0.3, prompt_tokens=320, output_tokens=1, blocks=tuple(range(20))),
        )
        sizes = [len(fake.tokenizer.encode(r.body["prompt"])) for r in fake.requests[1:]]
    found = _by_id(run)
    assert [found[name].tokens for name in "abc"] == [12, 3, 1]
    assert all(outcome.ending is Ending.FINISHED for outcome in run.outcomes)
    assert sizes == pytest.approx([325, 336, 320], abs=2)
    assert found["b"].cached_tokens == pytest.approx(320, abs=16)
    assert found["c"].cached_tokens == 0
    first, whole = found["a"].first_token_s, found["a"].e2e_s
    assert first is not None
    assert whole is not None
    assert whole - first >= 0.05
    assert found["a"].tpot_s == pytest.approx((whole - first) / 11)


@pytest.mark.parametrize(
    ("fault", "ending", "reason"),
    [
        (Fault(FaultKind.ERROR, status=503), Ending.REJECTED, "503"),
        (Fault(FaultKind.RESET), Ending.FAILED, "ServerDisconnectedError"),
        (Fault(FaultKind.STREAM_ERROR, 2), Ending.FAILED, "500"),
        (Fault(FaultKind.STREAM_ERROR, 2, form=ErrorForm.TEXT), Ending.FAILED, "error"),
        (Fault(FaultKind.STREAM_ERROR, 2, form=ErrorForm.BARE), Ending.FAILED, "truncated"),
        (Fault(FaultKind.STREAM_ERROR, 2, form=ErrorForm.ABORT), Ending.FAILED, "abort"),
        (Fault(FaultKind.DIE, 2), Ending.FAILED, "ClientPayloadError"),
        (Fault(FaultKind.TRUNCATE, 2), Ending.FAILED, "truncated"),
        (Fault(FaultKind.STALL, 2), Ending.FAILED, "SocketTimeoutError"),
    ],
    ids=lambda value: f"{value.kind}-{value.form}" if isinstance(value, Fault) else "",
)
async def test_what_goes_wrong_is_a_miss_with_a_reason(
    fault: Fault, ending: Ending, reason: str
) -> None:
    async with fake_vllm(Behaviour(itl_ms=1)) as fake, asyncio.TaskGroup() as tasks:
        tasks.create_task(_spoil(fake, fault))
        asked = arrival("good", 0.0), arrival("bad", 0.3)
        stalls = fault.kind is FaultKind.STALL
        run = await _load(fake.url, *asked, options=_IMPATIENT if stalls else _OPTIONS)
    found = _by_id(run)
    assert found["good"].met
    assert (found["bad"].ending, found["bad"].met) == (ending, False)
    assert found["bad"].reason.startswith(reason)
    assert found["bad"].reason


async def _spoil(fake: Emulator, fault: Fault) -> None:
    """Once the probe and the first request have their answers."""
    await fake.wait_until(lambda state: state.finished["length"] == 2)
    await fake.change(faults=[fault])


async def test_lengths_can_be_told_to_the_emulator_alone() -> None:
    async with Emulator(EmulatorOptions(REFERENCE, port=0, speed=20)) as engine:
        server = Server(engine.url, REFERENCE.model, lengths=Lengths.ANNOUNCED)
        asked = (arrival("a", output_tokens=12), arrival("b", output_tokens=1))
        run = await run_load(Listed(asked), 1, server, _OPTIONS)
    found = _by_id(run)
    assert [found[name].ending for name in "ab"] == [Ending.FINISHED] * 2
    assert [found[name].tokens for name in "ab"] == [12, 1]
    assert asked[0].max_tokens > 12


async def test_taking_back_closes_the_connection() -> None:
    async with fake_vllm(Behaviour(itl_ms=20)) as fake:
        run = await _load(fake.url, arrival("a", output_tokens=200, cancel_after_s=0.2))
        await fake.wait_until(lambda state: state.aborted == 1)
    (found,) = run.outcomes
    assert found.ending is Ending.CANCELLED
    assert found.first_token_s is not None


async def test_classes_are_told_as_priorities() -> None:
    async with fake_vllm(Behaviour()) as fake:
        asked = [arrival(task.value, task=task) for task in Task]
        await _load(fake.url, *asked, style=HeaderStyle.PRIORITY)
        told = [request.body["priority"] for request in fake.requests[1:]]
        headers = [request.headers for request in fake.requests[1:]]
    assert sorted(told) == list(range(len(Task)))
    assert not any(name.startswith("x-") for sent in headers for name in sent)


async def test_targets_and_estimates_are_told_to_cato() -> None:
    async with fake_vllm(Behaviour()) as fake:
        asked = arrival(target=Target(ttft_s=1.0, tpot_s=0.08))._replace(expected_tokens=33)
        await _load(fake.url, asked, style=HeaderStyle.CATO)
        headers = fake.requests[-1].headers
    told = {name.lower(): value for name, value in headers.items()}
    assert told["x-slo-ttft-ms"] == "1000.0"
    assert told["x-slo-tpot-ms"] == "80.0"
    assert told["x-cato-output-tokens"] == "33"


async def test_what_a_newer_request_replaced_was_taken_back(tmp_path: Path) -> None:
    """Neither refused nor broken: it is met where its first token came in time."""
    async with (
        fake_vllm(Behaviour(itl_ms=20)) as fake,
        serving(tmp_path, replicas=(fake.url,)) as serve,
    ):
        asked = (
            arrival(name, time, output_tokens=tokens)._replace(
                session="s", document="d", supersede=True
            )
            for name, time, tokens in (("older", 0.0, 200), ("newer", 1.5, 5))
        )
        run = await _load(serve.url, *asked, style=HeaderStyle.CATO)
    found = _by_id(run)
    assert (found["older"].ending, found["older"].reason) == (Ending.CANCELLED, "superseded")
    assert found["older"].met
    assert found["newer"].ending is Ending.FINISHED


async def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match=r"--url: http://127\.0\.0\.1:9/v1/completions"):
        await _load("http://127.0.0.1:9", arrival())


async def test_a_server_that_refuses_the_model_is_quoted() -> None:
    async with fake_vllm() as fake:
        with pytest.raises(ConfigError, match=r"answered 404: .*nobody"):
            await _load(fake.url, arrival(), model="nobody")


async def test_a_server_that_names_its_model_need_not_be_told() -> None:
    async with fake_vllm(Behaviour(itl_ms=1)) as fake:
        run = await _load(fake.url, arrival(), model="")
        asked = fake.requests[-1]
    assert [outcome.ending for outcome in run.outcomes] == [Ending.FINISHED]
    assert asked.body["model"] == MODEL


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("", "/v1/models answered HTML .*; expected the root of an OpenAI-compatible server"),
        ("any", "answered no completion: <html>hello</html>; expected the root"),
    ],
)
async def test_a_server_of_something_else_is_quoted(model: str, said: str) -> None:
    async with _saying(200, "<html>hello</html>") as url:
        with pytest.raises(ConfigError, match=said):
            await _load(url, arrival(), model=model)


async def test_a_server_that_wants_a_token_is_told_so() -> None:
    async with _saying(401, '{"error": {"message": "who are you?"}}') as url:
        with pytest.raises(ConfigError, match=r"answered 401: .*who are you.*--token"):
            await _load(url, arrival())


@asynccontextmanager
async def _saying(status: int, text: str) -> AsyncIterator[str]:
    """A server that says the same to everybody."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text=text, content_type="text/html")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as server:
        yield str(server.make_url("/")).rstrip("/")


async def test_a_server_without_a_cancel_call_sees_the_connection_close() -> None:
    async with fake_vllm(Behaviour(itl_ms=20)) as fake:
        asked = arrival("a", output_tokens=400, cancel_after_s=0.2)
        run = await _load(fake.url, asked, style=HeaderStyle.CATO)
        await fake.wait_until(lambda state: state.aborted == 1)
    (found,) = run.outcomes
    assert found.ending is Ending.CANCELLED
    assert found.ended_s < 5.0


async def test_the_command_speaks_to_cato(tmp_path: Path) -> None:
    """A gateway in between: its headers, its cancel call, and the score as JSON."""
    async with (
        fake_vllm(Behaviour(itl_ms=5)) as fake,
        serving(tmp_path, replicas=(fake.url,)) as serve,
    ):
        process = await create_subprocess_exec(
            *(sys.executable, "-m", "cato_backend", "load", "--url", serve.url),
            *("--workload", "typing", "--developers", "6", "--duration", "2"),
            *("--context", "lean", "--out", str(tmp_path / "score.json")),
            env=environment(tmp_path),
            stdout=PIPE,
        )
        said, _ = await process.communicate()
        await fake.wait_until(lambda state: state.running == state.waiting == 0)
        asked = fake.requests[-1]
    assert process.returncode in (0, 3), said.decode()
    assert b"client late by" in said
    record = json.loads((tmp_path / "score.json").read_text())
    completions = record["score"]["classes"]["completion"]
    assert completions["goodput"] > 0.5
    assert completions["endings"]["cancelled"] > 0
    assert set(completions["endings"]) <= {"cancelled", "finished"}
    assert asked.body["ignore_eos"] is True

"""OpenTelemetry traces, as a real receiver gets them over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from cato_lab.emulator import Fault, FaultKind
from tests.contract.gateway.serving import refusal
from tests.contract.gateway.site import Site, serving_site
from tests.otlp_receiver import Receiver, attributes, otlp_receiver
from tests.secret_files import secret_file

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
SECRET = "def secret_of_the_house(token='s3cret-token'): # /home/ada/vault.py"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")


def tracing(receiver: Receiver) -> str:
    return f'[tracing]\nenabled = true\nendpoint = "{receiver.url}"\n'


@asynccontextmanager
async def traced(
    folder: Path, *arguments: str, replicas: int = 1, token: str = ""
) -> AsyncGenerator[tuple[Receiver, Site]]:
    """A receiver, and a gateway that sends it spans."""
    async with (
        otlp_receiver() as receiver,
        serving_site(
            folder, *arguments, config=tracing(receiver), replicas=replicas, token=token
        ) as site,
    ):
        yield receiver, site


async def test_a_request_is_a_trace_from_the_client_down_to_the_replica(tmp_path: Path) -> None:
    async with traced(tmp_path) as (receiver, site):
        body = {"prompt": SECRET, "stream": True, "max_tokens": 5}
        await site.post(body, x_request_id="r1", traceparent=TRACEPARENT, tracestate="v=1")
        (root,) = await receiver.wait_for("cato.request")
        sent = site.fake.requests[-1].headers
    assert (root.trace_id.hex(), root.parent_span_id.hex()) == (TRACE, PARENT)
    queue, attempt = receiver.below(root)
    first, stream = receiver.below(attempt)
    assert [each.name for each in (queue, attempt, first, stream)] == [
        "cato.queue", "cato.attempt", "cato.first_token", "cato.stream",
    ]  # fmt: skip
    assert sent["traceparent"] == f"00-{TRACE}-{attempt.span_id.hex()}-01"
    assert sent["tracestate"] == "v=1"
    assert root.start_time_unix_nano == queue.start_time_unix_nano
    assert queue.end_time_unix_nano == attempt.start_time_unix_nano
    assert first.end_time_unix_nano == stream.start_time_unix_nano
    assert attempt.end_time_unix_nano <= root.end_time_unix_nano
    told = attributes(root)
    assert told["cato.request_id"] == "r1"
    assert told["cato.outcome"] == "met"
    assert told["cato.task"] == "generation"
    assert told["gen_ai.usage.output_tokens"] == 5
    assert attributes(attempt)["cato.replica"] == "static-1"
    assert receiver.resources[0]["service.name"] == "cato"


async def test_no_span_holds_code_a_token_or_a_path(tmp_path: Path) -> None:
    tokens = ("--token-file", str(secret_file(tmp_path / "tokens", "s3cret-token\n")))
    async with traced(tmp_path, *tokens, token="s3cret-token") as (receiver, site):
        await site.post({"prompt": SECRET, "stream": True, "max_tokens": 5}, x_cato_document="doc")
        await receiver.wait_for("cato.request")
    sent = b"".join(span.SerializeToString() for span in receiver.spans)
    for secret in (b"secret", b"s3cret", b"vault", b"/home", str(tmp_path).encode(), b"doc"):
        assert secret not in sent


async def test_a_failed_attempt_is_a_span_with_an_error(tmp_path: Path) -> None:
    async with traced(tmp_path, replicas=2) as (receiver, site):
        for fake in site.fakes:
            await fake.change(faults=[Fault(FaultKind.RESET, times=1)])
        await site.post(
            {"prompt": "x", "stream": True}, traceparent="nonsense", x_slo_ttft_ms=60_000
        )
        await receiver.wait_for("cato.request")
    (root,) = receiver.named("cato.request")
    failed = [each for each in receiver.named("cato.attempt") if "cato.problem" in attributes(each)]
    assert not root.parent_span_id, "a malformed context begins a new trace"
    assert failed
    assert {each.status.code for each in failed} == {Status.STATUS_CODE_ERROR}
    assert {attributes(each)["cato.problem"] for each in failed} <= {"error", "busy"}
    assert len(receiver.below(root)) == 2 * (len(failed) + 1), "a queue before each attempt"
    assert attributes(root)["cato.outcome"] == "met"


async def test_what_its_client_leaves_has_an_end(tmp_path: Path) -> None:
    async with traced(tmp_path) as (receiver, site):
        await site.fake.change(ttft_ms=60_000)
        asking = asyncio.create_task(site.post({"prompt": "x", "stream": True}))
        await site.fake.wait_until(lambda state: state.running == 1)
        asking.cancel()
        (root,) = await receiver.wait_for("cato.request")
        await asyncio.gather(asking, return_exceptions=True)
    assert attributes(root)["cato.outcome"] == "cancelled"
    assert [each.name for each in receiver.below(root)] == ["cato.queue", "cato.attempt"]


async def test_a_client_that_has_enough_makes_no_error(tmp_path: Path) -> None:
    async with traced(tmp_path) as (receiver, site):
        await site.fake.change(itl_ms=1000)
        body = {"prompt": "x", "stream": True, "max_tokens": 100}
        async with site.opened(body, x_request_id="r1") as response:
            await response.content.readany()
            await site.cancel("r1", "enough")
            await response.read()
        (root,) = await receiver.wait_for("cato.request")
    assert attributes(root)["cato.outcome"] == "enough"
    queue, attempt = receiver.below(root)
    assert (queue.name, attempt.name) == ("cato.queue", "cato.attempt")
    assert attempt.status.code == root.status.code == Status.STATUS_CODE_UNSET
    assert [each.name for each in receiver.below(attempt)] == ["cato.first_token", "cato.stream"]


async def test_a_receiver_that_is_away_costs_nothing(tmp_path: Path) -> None:
    config = '[tracing]\nenabled = true\nendpoint = "http://127.0.0.1:9"\n'
    async with serving_site(tmp_path, config=config) as site:
        answer = await site.post({"prompt": "x"})
    assert answer.status == 200


async def test_without_the_setting_no_context_reaches_a_replica(tmp_path: Path) -> None:
    async with serving_site(tmp_path) as site:
        await site.post({"prompt": "x"}, traceparent=TRACEPARENT)
        assert "traceparent" not in site.fake.requests[-1].headers


@pytest.mark.parametrize(
    ("field", "variable", "told"),
    [
        ("localhost:4318", "http/protobuf", "tracing.endpoint: got 'localhost:4318'"),
        ("", "grpc", "OTEL_EXPORTER_OTLP_PROTOCOL: got 'grpc', expected http/protobuf"),
    ],
)
async def test_unusable_tracing_settings_are_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str, variable: str, told: str
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", variable)
    config = tmp_path / "cato.toml"
    config.write_text(f'[tracing]\nenabled = true\nendpoint = "{field}"\n')
    assert told in await refusal(tmp_path, "--config", str(config), "--port", "0")

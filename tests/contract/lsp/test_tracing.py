"""A trace that begins at the person's key and goes on in the backend."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from functools import partial
from pathlib import Path

import pytest

from cato_lab.emulator import Emulator
from tests.contract.gateway.site import eventually
from tests.contract.lsp.backends import asked, gateway
from tests.contract.lsp.editor import text_of
from tests.contract.lsp.launching import Launcher
from tests.contract.lsp.test_gateway import SAMPLE
from tests.otlp_receiver import Receiver, attributes, otlp_receiver


async def log_of(launch: Launcher) -> str:
    return launch.log


@pytest.fixture
async def receiver(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Receiver]:
    async with otlp_receiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        yield receiver


async def test_a_trace_goes_from_the_key_to_the_replica(
    launch: Launcher, fake: Emulator, tmp_path: Path, receiver: Receiver
) -> None:
    (tmp_path / "cato.toml").write_text("[tracing]\nenabled = true\n")
    async with gateway(fake, tmp_path, "--config", str(tmp_path / "cato.toml")) as url:
        settings = {"backend": {"url": url}, "tracing": {"enabled": True}}
        editor = await launch.stdio(settings=settings)
        await eventually(lambda log: "completions are traced" in log, partial(log_of, launch))
        editor.open(SAMPLE)
        assert text_of(await editor.inline(1, 11)) == "a + b"
        (key,) = await receiver.wait_for("cato.key")
        (root,) = await receiver.wait_for("cato.request")
        (attempt,) = receiver.named("cato.attempt")
        request_id = (await editor.status())["lastRequestId"]
        sent = asked(fake)[-1].headers["traceparent"]
    assert root.parent_span_id == key.span_id
    assert root.trace_id == key.trace_id
    assert not key.parent_span_id
    assert key.start_time_unix_nano < root.start_time_unix_nano
    assert sent.split("-")[1:3] == [key.trace_id.hex(), attempt.span_id.hex()]
    told = attributes(key)
    assert told["cato.request_id"] == request_id == attributes(root)["cato.request_id"]
    assert told["cato.language"] == "python"
    assert b"add" not in key.SerializeToString()
    assert b"sample" not in key.SerializeToString()


async def test_further_answers_are_part_of_the_key_s_trace(
    launch: Launcher, fake: Emulator, tmp_path: Path, receiver: Receiver
) -> None:
    (tmp_path / "cato.toml").write_text("[tracing]\nenabled = true\n")
    async with gateway(fake, tmp_path, "--config", str(tmp_path / "cato.toml")) as url:
        await fake.change(reply="a + b\n", tells_logprobs=False)
        settings = {"backend": {"url": url}, "tracing": {"enabled": True}}
        editor = await launch.stdio(settings=settings)
        await eventually(lambda log: "completions are traced" in log, partial(log_of, launch))
        editor.open(SAMPLE)
        # Before the first answer it is not known that the engine does not tell how sure it is.
        await editor.inline(1, 11, automatic=True)
        editor.type("a\n    return ", 1, 11, 2)
        await editor.inline(2, 11, automatic=True)
        keys = await receiver.wait_for("cato.key", 2)
        roots = await receiver.wait_for("cato.request", 3)
    parents = [root.parent_span_id for root in roots]
    assert sorted(parents.count(key.span_id) for key in keys) == [1, 2]


async def test_nothing_is_traced_unless_it_is_asked_for(
    launch: Launcher, fake: Emulator, tmp_path: Path, receiver: Receiver
) -> None:
    async with gateway(fake, tmp_path) as url:
        editor = await launch.stdio(settings={"backend": {"url": url}})
        editor.open(SAMPLE)
        assert text_of(await editor.inline(1, 11)) == "a + b"
        assert "traceparent" not in asked(fake)[-1].headers
    assert receiver.spans == []

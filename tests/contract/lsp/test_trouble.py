"""The backend is down, hangs, fails, comes back: the editor never waits and never sees an error."""

from __future__ import annotations

import pytest
from lsprotocol import types

from cato_lab.emulator import Emulator
from tests.contract.gateway.site import eventually
from tests.contract.lsp.editor import Editor, plain, text_of
from tests.contract.lsp.launching import Launcher

SAMPLE = "def add(a, b):\n    return "


async def test_a_backend_that_is_down_is_found_once_it_is_up(
    launch: Launcher, fake: Emulator
) -> None:
    await fake.change(listening=False)
    settings = {"backend": {"url": fake.url}}
    editor = await launch.editor(settings=settings, state="unreachable")
    editor.open(SAMPLE)
    assert await editor.inline(1, 11) is None
    status = await editor.status()
    assert fake.url in status["message"]
    await fake.change(listening=True)
    await editor.ready()
    assert text_of(await editor.inline(1, 11)) == "a + b"


async def test_nothing_waits_for_a_backend_that_hangs(launch: Launcher, fake: Emulator) -> None:
    await fake.change(ttft_ms=3_600_000)
    editor = await launch.editor(settings={"backend": {"url": fake.url}})
    editor.open(SAMPLE)
    hanging = editor.inline(1, 11, message_id="hanging")
    await fake.wait_until(lambda state: len(state.requests) == 1)
    for version in range(2, 50):
        editor.type("x", 1, 11 + version - 2, version)
    assert (await editor.status())["state"] == "ready"
    assert not hanging.done()
    newer = editor.inline(1, 11 + 48)
    await fake.wait_until(lambda state: len(state.requests) == 2)
    assert fake.requests[-1].body["prompt"] == SAMPLE + "x" * 48
    assert await hanging is None
    editor.close()
    assert await newer is None


async def test_a_completion_is_given_up_after_its_timeout(launch: Launcher, fake: Emulator) -> None:
    await fake.change(ttft_ms=3_600_000)
    settings = {"backend": {"url": fake.url}, "completion": {"timeoutMs": 100}}
    editor = await launch.editor(settings=settings)
    editor.open(SAMPLE)
    assert await editor.inline(1, 11) is None
    await fake.wait_until(lambda state: state.aborted == 1)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "error", "status": 400},
        {"kind": "error", "status": 429},
        {"kind": "error", "status": 500},
        {"kind": "error", "status": 503},
        {"kind": "reset"},
        {"kind": "stream_error", "after_tokens": 1},
        {"kind": "die", "after_tokens": 1},
        {"kind": "malformed", "after_tokens": 1},
    ],
    ids=lambda fault: f"{fault['kind']}-{fault.get('status', '')}",
)
async def test_whatever_the_backend_does_the_answer_is_null(
    launch: Launcher, fake: Emulator, fault: dict[str, object]
) -> None:
    editor = await launch.editor(settings={"backend": {"url": fake.url}})
    editor.open(SAMPLE)
    await fake.change(faults=[{**fault, "times": 1}])
    assert await editor.inline(1, 11, message_id="unlucky") is None
    await editor.ready()
    assert text_of(await editor.inline(1, 11)) == "a + b"
    assert not editor.protocol.refusals
    assert editor.protocol.answers["unlucky"] == 1
    assert not editor.messages


async def test_a_backend_that_serves_another_model_is_asked_for_that(
    launch: Launcher, fake: Emulator
) -> None:
    editor = await launch.editor(settings={"backend": {"url": fake.url}})
    editor.open(SAMPLE)
    await fake.change(model="another")
    assert await editor.inline(1, 11) is None, "its name was not known yet"
    await fake.wait_until(lambda state: state.requests[-1].body["model"] == "cato-embedded")

    async def answer() -> str | None:
        return text_of(await editor.inline(1, 11))

    await eventually(lambda text: text == "a + b", answer)
    assert fake.requests[-1].body["model"] == "another"


async def test_a_truncated_stream_shows_what_came(launch: Launcher, fake: Emulator) -> None:
    await fake.change(faults=[{"kind": "truncate", "after_tokens": 3}])
    editor = await launch.editor(settings={"backend": {"url": fake.url}})
    editor.open(SAMPLE)
    assert "a + b".startswith(text_of(await editor.inline(1, 11)) or "-")


async def test_without_any_backend_the_status_says_what_to_do(launch: Launcher) -> None:
    editor = await launch.editor(state="unreachable")
    status = await editor.status()
    assert "cato serve" in status["message"]
    assert status["backendUrl"] is None
    editor.open(SAMPLE)
    assert await editor.inline(1, 11) is None


async def test_restart_looks_again_and_answers_the_new_status(
    launch: Launcher, fake: Emulator
) -> None:
    editor = await launch.editor(settings={"backend": {"url": fake.url}})
    assert (await _restart(editor))["state"] == "ready"
    await fake.change(listening=False)
    assert (await _restart(editor))["state"] == "unreachable"


async def test_shutdown_answers_what_is_in_flight(launch: Launcher, fake: Emulator) -> None:
    await fake.change(ttft_ms=3_600_000)
    editor = await launch.stdio(settings={"backend": {"url": fake.url}})
    editor.open(SAMPLE)
    pending = editor.inline(1, 11, message_id="pending")
    await fake.wait_until(lambda state: len(state.requests) == 1)
    await editor.ask(types.SHUTDOWN)
    assert await pending is None
    assert editor.protocol.answers["pending"] == 1
    await fake.wait_until(lambda state: state.aborted == 1)
    editor.capabilities = None
    editor.exit(None)
    assert editor.process is not None
    assert await editor.process.wait() == 0


async def _restart(editor: Editor) -> dict[str, object]:
    return plain(await editor.ask("cato/restartBackend"))

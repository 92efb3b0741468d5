"""Ghost text through a real gateway: tokens, the end of a unit, cancellation, both sides."""

from __future__ import annotations

from pathlib import Path

from lsprotocol import types

from cato_lab.emulator import Emulator
from tests.contract.lsp.backends import asked, gateway
from tests.contract.lsp.editor import text_of
from tests.contract.lsp.launching import Launcher

SAMPLE = "def add(a, b):\n    return \n\n\nprint(add(1, 2))\n"


async def test_both_sides_of_the_cursor_reach_the_model(
    launch: Launcher, fake: Emulator, tmp_path: Path
) -> None:
    async with gateway(fake, tmp_path) as url:
        editor = await launch.editor(settings={"backend": {"url": url}})
        editor.open(SAMPLE)
        assert text_of(await editor.inline(1, 11)) == "a + b"
    prompt = str(asked(fake)[-1].body["prompt"])
    assert "<|fim_prefix|>" in prompt
    assert "print(add(1, 2))" in prompt


async def test_a_token_is_needed_and_enough(
    launch: Launcher, fake: Emulator, tmp_path: Path
) -> None:
    token_file = tmp_path / "tokens"
    token_file.write_text("the-right-token\n")
    token_file.chmod(0o600)
    async with gateway(fake, tmp_path, "--token-file", str(token_file)) as url:
        right = {"backend": {"url": url, "token": "the-right-token"}}
        wrong = {"backend": {"url": url, "token": "the-wrong-token"}}
        editor = await launch.stdio(settings=wrong, state="unauthorized")
        editor.open(SAMPLE)
        assert await editor.inline(1, 11) is None
        assert not editor.offers_inline_completion
        editor.set_configuration(right, section="cato")
        editor.workspace_did_change_configuration(types.DidChangeConfigurationParams(settings=None))
        await editor.ready()
        assert text_of(await editor.inline(1, 11)) == "a + b"
        assert "the-right-token" not in str(await editor.status())
    assert "the-right-token" not in launch.log
    assert "the-wrong-token" not in launch.log


async def test_cancelling_ends_the_engine_s_work_and_keeps_the_connection(
    launch: Launcher, fake: Emulator, tmp_path: Path
) -> None:
    async with gateway(fake, tmp_path) as url:
        editor = await launch.editor(settings={"backend": {"url": url}})
        editor.open(SAMPLE)
        own = len(asked(fake))
        for round_number in range(1, 4):
            await fake.change(ttft_ms=60_000)
            answer = editor.inline(1, 11, message_id=f"gone-{round_number}")
            await fake.wait_until(lambda state, n=round_number: len(asked(state)) == own + n)
            editor.cancel(f"gone-{round_number}")
            assert await answer is None
            await fake.wait_until(lambda state, n=round_number: state.aborted >= n)
        await fake.change(ttft_ms=0)
        assert text_of(await editor.inline(1, 11)) == "a + b"

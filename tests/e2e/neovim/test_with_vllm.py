"""The whole path, nothing replaced: Neovim on a terminal, `cato-lsp`, `cato serve`, vLLM."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.idioms import IDIOMS_BEGUN, Begun
from tests.e2e.neovim import documented
from tests.e2e.neovim.editor import Home, headless
from tests.e2e.neovim.terminal import terminal
from tests.e2e.real import RealBackend
from tests.e2e.waiting import wait_for, wait_written

pytestmark = pytest.mark.timeout(600)

GENERATED = "vllm:generation_tokens_total"


def test_what_vllm_writes_is_seen_accepted_and_saved(
    person: Home, source: Path, real_backend: RealBackend
) -> None:
    home = person.with_backend(real_backend.url, "")
    before = real_backend.engine_metrics()[GENERATED]
    with terminal(home, documented.plugin(), source) as (view, editor):
        editor.wait_ready()
        view.type("Go", "def subtract(a, b):", "Enter", "return")
        shown = editor.wait_ghost()
        for line in filter(None, map(str.strip, shown.splitlines())):
            wait_for(f"{line!r} on the screen", lambda line=line: line in view.screen)
        typed = editor.text
        view.type("Tab")
        wait_for("the accepted text", lambda: editor.text == typed + shown)
        view.type("Escape", ":w", "Enter")
        wait_written(source, f"{typed}{shown}\n")
        assert real_backend.engine_metrics()[GENERATED] > before


def test_the_embedded_model_is_asked_for_no_whole_task(
    person: Home, source: Path, real_backend: RealBackend
) -> None:
    home = person.with_backend(real_backend.url, "")
    with terminal(home, documented.plugin(), source) as (view, editor):
        editor.wait_ready()
        told = "usefully: a model that follows instructions is needed"
        for command in (":CatoSummarize", ":CatoTranslate rust"):
            view.type(command, "Enter")
            wait_for("the answer", lambda: "q closes" in editor.label)
            assert "failed" in editor.label
            wait_for("why", lambda: told in editor.text)
            view.type("q")


@pytest.mark.parametrize("begun", IDIOMS_BEGUN, ids=lambda begun: begun.name)
def test_an_idiom_is_completed_to_something_useful(
    begun: Begun, person: Home, source: Path, real_backend: RealBackend
) -> None:
    home = person.with_backend(real_backend.url, "")
    text = accepted(home, source, begun)
    assert begun.is_useful(text), text


def accepted(home: Home, source: Path, begun: Begun) -> str:
    """The file after its key was typed and what was then shown accepted."""
    source.write_text(begun.source)
    with headless(home, documented.plugin(), source) as editor:
        editor.wait_ready()
        editor.type(f"{begun.line}GA{begun.key}")
        shown = editor.wait_ghost()
        expected = (begun.place.before + shown + begun.place.after).rstrip()
        editor.type("<Tab>")
        wait_for("the accepted text", lambda: editor.text.rstrip() == expected)
        editor.type("<Esc>")
        return editor.text

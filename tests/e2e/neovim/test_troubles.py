"""A backend that is away, returns, or refuses: nothing pops up, and typing goes on."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.backend import Backend, serve
from tests.e2e.neovim import documented
from tests.e2e.neovim.editor import Editor, Home, headless
from tests.e2e.waiting import wait_for

FUNCTION = "Go<CR><CR>def subtract(a, b):"


def assert_undisturbed(editor: Editor) -> None:
    """Nobody is asked anything, and no error was shown."""
    assert not editor.blocked
    assert "error" not in editor.messages.lower()


def test_the_documented_settings_reach_a_backend(
    person: Home, source: Path, backend: Backend
) -> None:
    init = documented.stock_with_backend(backend.url, backend.token_file)
    with headless(person, init, source) as editor:
        editor.wait_ready()
        editor.type(FUNCTION)
        assert editor.wait_ghost()


def test_a_backend_dies_and_returns(person: Home, source: Path, tmp_path: Path) -> None:
    with serve(tmp_path, "\n    return a - b\n") as backend:
        home = person.with_backend(backend.url, backend.token)
        with headless(home, documented.plugin(), source) as editor:
            editor.wait_attached()
            wait_for("a healthy backend", lambda: editor.status == "cato")
            backend.kill()
            editor.type(FUNCTION)
            wait_for("the typed text", lambda: editor.lines[-1] == "def subtract(a, b):")
            wait_for("the status", lambda: editor.status == "cato unreachable")
            assert_undisturbed(editor)
            backend.start()
            wait_for("its return", lambda: editor.status == "cato")
            editor.type("<BS>:")
            assert editor.wait_ghost()
            assert_undisturbed(editor)


def test_a_summary_without_a_backend_says_what_to_do(person: Home, source: Path) -> None:
    home = person.with_backend("http://127.0.0.1:9", "")
    with headless(home, documented.plugin(), source) as editor:
        editor.wait_attached()
        wait_for("the status", lambda: editor.status == "cato unreachable")
        editor.command("CatoSummarize")
        wait_for("the failure", lambda: "failed" in editor.label)
        assert "127.0.0.1:9" in editor.text
        assert_undisturbed(editor)


def test_a_wrong_token_is_named_in_the_status(person: Home, source: Path, backend: Backend) -> None:
    home = person.with_backend(backend.url, "wrong")
    with headless(home, documented.plugin(), source) as editor:
        editor.wait_attached()
        wait_for("the status", lambda: editor.status == "cato unauthorized")
        assert_undisturbed(editor)

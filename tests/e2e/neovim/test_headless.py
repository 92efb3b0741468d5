"""Neovim without a screen: suggestions, results and troubles, as far as they are state."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.backend import serve
from tests.e2e.neovim import documented
from tests.e2e.neovim.editor import Editor, Home, headless
from tests.e2e.waiting import wait_for, wait_written

SOON_S = 5
NEW_FUNCTION = "Go<CR><CR>def subtract(a, b):"
UNFINISHED_LINE = NEW_FUNCTION + "<CR>return"


def literally(text: str) -> str:
    """Keys that type `text`."""
    return text.replace("<", "<lt>").replace("\n", "<CR>")


def accept_suggestion(editor: Editor) -> str:
    """Takes what is shown; returns it, once the buffer is what it should be."""
    before = editor.text
    shown = editor.wait_ghost()
    editor.type("<Tab>")
    wait_for("the accepted text", lambda: editor.text == before + shown)
    return shown


@pytest.mark.parametrize("configuration", [documented.stock, documented.plugin])
def test_a_suggestion_is_shown_and_tab_takes_it(
    configuration: Callable[[], str], home: Home, source: Path
) -> None:
    with headless(home, configuration(), source) as editor:
        editor.wait_ready()
        editor.type(NEW_FUNCTION)
        accept_suggestion(editor)
        assert editor.ghost == ""
        assert not editor.blocked
        editor.type("<Esc>")


def test_tab_is_a_tab_where_nothing_is_suggested(home: Home, source: Path) -> None:
    with headless(home, documented.plugin(), source) as editor:
        editor.wait_ready()
        editor.lua("vim.lsp.inline_completion.enable(false, { bufnr = 0 })")
        editor.type("ggO<Tab>x")
        wait_for("the tab", lambda: editor.lines[0].expandtabs(4) == "    x")


def test_what_was_typed_since_is_not_inserted_twice(home: Home, source: Path) -> None:
    with headless(home, documented.plugin(), source) as editor:
        editor.wait_ready()
        editor.type(UNFINISHED_LINE)
        shown = editor.wait_ghost()
        whole = editor.text + shown
        # In one call, so that no newer suggestion can arrive between the letter and the tab.
        editor.type(literally(shown[0]) + "<Tab>")
        wait_for("the accepted text", lambda: editor.text == whole)


def test_a_summary_fills_a_split_that_q_closes(home: Home, source: Path) -> None:
    with headless(home, documented.plugin(), source) as editor:
        editor.wait_ready()
        editor.command("normal! G")
        editor.command("CatoSummarize")
        wait_for("the result", lambda: "q closes" in editor.label)
        assert editor.lua("return vim.bo.filetype") == "markdown"
        assert "scale" in editor.label
        assert editor.text.strip()
        assert editor.lua("return vim.fn.getpos('.')")[1:3] == [1, 1]
        assert editor.windows == 2
        editor.type("q")
        wait_for("the split's end", lambda: editor.windows == 1)


def test_a_translation_has_the_filetype_of_its_language(home: Home, source: Path) -> None:
    with headless(home, documented.plugin(), source) as editor:
        editor.wait_ready()
        editor.command("CatoTranslate C#")
        wait_for("the result", lambda: "q closes" in editor.label)
        assert editor.lua("return vim.bo.filetype") == "cs"
        assert editor.text.strip()


def test_languages_are_offered_on_the_command_line(home: Home, source: Path) -> None:
    with headless(home, documented.plugin(), source) as editor:
        offered = editor.lua("return vim.fn.getcompletion('CatoTranslate ru', 'cmdline')")
        assert offered == ["ruby", "rust"]


def test_cancelling_ends_the_work_of_the_replica(
    person: Home, source: Path, tmp_path: Path
) -> None:
    code = "".join(f"word({number});\n" for number in range(400))
    with serve(tmp_path, f"```rust\n{code}```\n", itl_ms=50) as backend:
        home = person.with_backend(backend.url, backend.token)
        with headless(home, documented.plugin(), source) as editor:
            editor.wait_ready()
            for end in ("q", ":CatoCancel<CR>"):
                editor.command("CatoTranslate rust")
                wait_for("the first pieces", lambda: "word" in editor.text)
                wait_for("the replica at work", lambda: backend.replica.running)
                editor.type(end)
                wait_for("its end", lambda: backend.replica.running == 0, SOON_S)
                assert not editor.blocked
            assert "cancelled" in editor.label


def test_a_summary_is_inserted_copied_and_saved(home: Home, source: Path, tmp_path: Path) -> None:
    with headless(home, documented.plugin(), source) as editor:
        editor.wait_ready()
        editor.command("CatoSummarize")
        wait_for("the summary", lambda: "i inserts it" in editor.label)
        assert editor.lua("return vim.bo.filetype") == "markdown"
        summary = editor.text
        answer = "local name = ...; vim.ui.input = function(_, done) done(name) end"
        saved = tmp_path / "summary.md"
        editor.lua(answer, str(saved))
        editor.type("S")
        wait_written(saved, f"{summary}\n")
        editor.type("Y")
        wait_for("the copy", lambda: editor.lua("return vim.fn.getreg('\"')") == summary)
        editor.type("iq")
        wait_for("the docstring", lambda: f'    """{summary}"""' in editor.lines)
        assert editor.lines[:3] == ["def add(a, b):", f'    """{summary}"""', "    return a + b"]


def test_a_target_language_is_picked_from_a_list(home: Home, source: Path) -> None:
    with headless(home, documented.plugin(), source) as editor:
        editor.wait_ready()
        editor.lua(
            "vim.ui.select = function(targets, _, done) vim.g.targets = targets; done('rust') end"
        )
        editor.command("CatoTranslate")
        wait_for("the translation", lambda: "add in rust" in editor.label)
        targets = editor.lua("return vim.g.targets")
        assert "go" in targets
        assert "python" not in targets
        editor.type("q")
        editor.command("CatoTranslate klingon")
        wait_for("the refusal", lambda: "no translation to 'klingon'" in editor.text)


def test_a_language_that_is_switched_off_is_so_in_the_statusline(home: Home, source: Path) -> None:
    languages = "languages = { python = { enabled = false } }"
    off = f"vim.lsp.config('cato', {{ settings = {{ cato = {{ {languages} }} }} }})"
    with headless(home, f"{documented.plugin()}\n{off}", source) as editor:
        editor.wait_ready()
        wait_for("the status", lambda: editor.status == "cato off")


def test_status_restart_and_log(home: Home, source: Path) -> None:
    with headless(home, documented.plugin(), source) as editor:
        editor.wait_ready()
        wait_for("a healthy backend", lambda: editor.status == "cato")
        editor.command("CatoStatus")
        wait_for("the status", lambda: "state    ready" in editor.lines)
        assert "model    cato-embedded" in editor.lines
        editor.type("q")
        editor.command("CatoRestart")
        wait_for("the answer", lambda: "cato: ready" in editor.messages)
        editor.command("CatoLog")
        wait_for("the log", lambda: editor.lua("return vim.bo.readonly"))


def test_health_names_every_link(home: Home, source: Path) -> None:
    with headless(home, documented.plugin(), source) as editor:
        editor.wait_ready()
        editor.command("checkhealth cato")
        wait_for("the report", lambda: "state    ready" in editor.text)
        assert "ERROR" not in editor.text


def test_without_the_language_server_a_command_says_so(home: Home, source: Path) -> None:
    with headless(home, documented.plugin(), source.with_suffix(".txt")) as editor:
        editor.command("CatoSummarize")
        assert ":checkhealth cato" in editor.messages


def test_a_docstring_is_previewed_brought_in_and_undone(
    home: Home, source: Path, tmp_path: Path
) -> None:
    with headless(home, documented.plugin(), source) as editor:
        editor.wait_ready()
        before = editor.lines
        editor.command("1CatoDocument")
        wait_for("the documentation", lambda: "i brings it into the code" in editor.label)
        assert "documentation of add" in editor.label
        prose = editor.text.strip()
        editor.type("iq")
        wait_for("the docstring", lambda: f'    """{prose}"""' in editor.lines)
        editor.type("u")
        wait_for("the text as it was", lambda: editor.lines == before)


def test_a_code_action_shows_its_result(home: Home, source: Path) -> None:
    with headless(home, documented.plugin(), source) as editor:
        editor.wait_ready()
        editor.command("normal! gg")
        choose = (
            "vim.lsp.buf.code_action({ apply = true, filter = function(action) "
            "return action.title == 'CATO: Write tests for add' end })"
        )
        editor.lua(choose)
        wait_for("the result", lambda: "tests for add (" in editor.label)
        assert editor.lua("return vim.bo.filetype") == "python"


def test_without_a_diagnostic_there_is_nothing_to_fix(home: Home, source: Path) -> None:
    with headless(home, documented.plugin(), source) as editor:
        editor.wait_ready()
        editor.command("CatoFix")
        wait_for("the message", lambda: "no diagnostic here" in editor.messages)

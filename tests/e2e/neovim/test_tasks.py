"""Whole tasks in Neovim: windows that fill, keys, code lenses."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.backend import serve
from tests.e2e.neovim import documented
from tests.e2e.neovim.editor import Home, headless
from tests.e2e.neovim.terminal import terminal
from tests.e2e.waiting import wait_for

WORDS = " ".join(f"word{number}" for number in range(60))
LENSES = "vim.lsp.config('cato', { settings = { cato = { codeLens = { enabled = true } } } })"
TITLES = """
return vim.iter(vim.lsp.codelens.get({ bufnr = 0 })):map(function(found)
  return found.lens.range.start.line .. ' ' .. found.lens.command.title
end):totable()
"""
IS_FLOATING = "return vim.api.nvim_win_get_config(0).relative ~= ''"


def test_a_floating_window_fills_while_the_text_comes_and_can_become_a_split(
    person: Home, source: Path, tmp_path: Path
) -> None:
    with serve(tmp_path, WORDS, itl_ms=50) as backend:
        home = person.with_backend(backend.url, backend.token)
        with headless(home, documented.plugin(), source) as editor:
            editor.wait_ready()
            editor.command("CatoExplain")
            wait_for("the first words", lambda: editor.text.startswith("word0 word1"))
            assert "q cancels" in editor.label
            assert len(editor.text.split()) < 60
            assert editor.lua(IS_FLOATING)
            wait_for("the end", lambda: "q closes" in editor.label)
            assert editor.text == WORDS
            editor.command("wincmd J")
            assert not editor.lua(IS_FLOATING)
            editor.type("q")
            wait_for("its end", lambda: editor.windows == 1)


def test_an_answer_that_begins_again_takes_the_place_of_what_had_come(
    home: Home, source: Path
) -> None:
    with headless(home, documented.plugin(), source) as editor:
        editor.wait_ready()
        editor.command("CatoExplain")
        wait_for("the result", lambda: "q closes" in editor.label)
        editor.command("close")
        editor.lua(
            """
            local task = require('cato.task')
            local client = vim.lsp.get_clients({ name = 'cato' })[1]
            local asked
            client.request = function(_, _, params) asked = params; return true, 1 end
            task.run(client, 'cato.server.explain', {}, 'explanation')
            local first, second = { delta = 'a' }, { delta = 'b\\n\\n', restart = true }
            for _, value in ipairs({ first, second, { delta = 'c' } }) do
              task.piece({ token = asked.partialResultToken, value = value })
            end
            """
        )
        assert editor.text == "b\n\nc"


def test_keys_run_the_tasks_about_the_function_and_about_the_selection(
    home: Home, source: Path
) -> None:
    with headless(home, documented.plugin(), source) as editor:
        editor.wait_ready()
        editor.type("gg\\as")
        wait_for("the summary", lambda: "summary of add (" in editor.label)
        editor.type("q")
        wait_for("its end", lambda: editor.windows == 1)
        editor.type("ggVG\\ae")
        wait_for("the explanation", lambda: "explanation of lines 1 to 6 (" in editor.label)
        editor.type("q")


def test_tests_are_inserted_below_the_cursor(home: Home, source: Path) -> None:
    with headless(home, documented.plugin(), source) as editor:
        editor.wait_ready()
        before = editor.lines
        editor.command("normal! 2G")
        editor.command("CatoTest")
        wait_for("the tests", lambda: "i inserts it below the cursor" in editor.label)
        tests = editor.lines
        editor.type("iq")
        wait_for("the insertion", lambda: editor.lines == before[:2] + tests + before[2:])
        editor.type("u")
        wait_for("the text as it was", lambda: editor.lines == before)


def test_tests_are_inserted_in_the_window_that_they_were_asked_for_in(
    home: Home, source: Path
) -> None:
    with headless(home, documented.plugin(), source) as editor:
        editor.wait_ready()
        before = editor.lines
        # Two windows of one document; the other is the first that Neovim knows of.
        editor.command("split")
        editor.command("wincmd j")
        editor.command("normal! 2G")
        editor.command("wincmd k")
        editor.command("normal! 1G")
        editor.command("wincmd j")
        editor.command("CatoTest")
        wait_for("the tests", lambda: "i inserts it below the cursor" in editor.label)
        tests = editor.lines
        editor.type("iq")
        wait_for("the insertion", lambda: editor.lines == before[:2] + tests + before[2:])


def test_lenses_follow_the_setting_while_the_client_runs(home: Home, source: Path) -> None:
    with headless(home, documented.plugin(), source) as editor:
        editor.wait_ready()
        is_enabled = """
        local client = vim.lsp.get_clients({ name = 'cato' })[1]
        return vim.lsp.codelens.is_enabled({ client_id = client.id })
        """
        switch = """
        local client = vim.lsp.get_clients({ name = 'cato' })[1]
        client.settings.cato = { codeLens = { enabled = %s } }
        client:notify('workspace/didChangeConfiguration', { settings = client.settings })
        """
        assert not editor.lua(is_enabled)
        editor.lua(switch % "true")
        wait_for("the lenses", lambda: len(editor.lua(TITLES)) == 6)
        editor.lua(switch % "false")
        wait_for("their end", lambda: not editor.lua(is_enabled))


def test_lenses_stand_above_functions_and_run_their_tasks(home: Home, source: Path) -> None:
    init = f"{documented.plugin()}\n{LENSES}"
    with terminal(home, init, source) as (view, editor):
        editor.wait_ready()
        offered = ("Explain", "Document", "Tests")
        expected = sorted(f"{line} {title}" for line in (0, 4) for title in offered)
        wait_for("the lenses", lambda: sorted(editor.lua(TITLES)) == expected)
        wait_for("them on the screen", lambda: view.screen.count("Explain | Document | Tests") == 2)
        view.keep("lenses")
        editor.lua("vim.ui.select = function(found, _, done) done(found[1]) end")
        view.type("5G", "grx")
        wait_for("the explanation", lambda: "explanation of scale (" in editor.label)
        view.keep("explanation")


def test_without_the_setting_there_are_no_lenses(home: Home, source: Path) -> None:
    with headless(home, documented.plugin(), source) as editor:
        editor.wait_ready()
        editor.lua("vim.lsp.codelens.enable()")
        answer = """
        local client = vim.lsp.get_clients({ name = 'cato' })[1]
        local document = vim.lsp.util.make_text_document_params(0)
        local params = { textDocument = document }
        local answer = client:request_sync('textDocument/codeLens', params, 5000, 0)
        return not answer.result
        """
        assert editor.lua(answer)

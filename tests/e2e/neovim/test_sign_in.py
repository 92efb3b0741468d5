"""Signing in to a team's server from Neovim: no token is copied."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.neovim import documented
from tests.e2e.neovim.conftest import REPLY
from tests.e2e.neovim.editor import Home, headless
from tests.e2e.signing_in import confirm, signing_in
from tests.e2e.waiting import wait_for

BROWSER = "vim.ui.open = function(url) vim.g.opened = url end"


def test_a_code_is_confirmed_and_the_backend_is_there(
    person: Home, source: Path, tmp_path: Path
) -> None:
    with signing_in(tmp_path / "team", REPLY) as backend:
        home = person.with_backend(backend.url, "")
        with headless(home, f"{documented.plugin()}\n{BROWSER}", source) as editor:
            editor.wait_attached()
            wait_for("the status", lambda: editor.status == "cato unauthorized")
            editor.command("CatoSignIn")
            opened = wait_for("the page", lambda: str(editor.lua("return vim.g.opened or ''")))
            address, _, code = opened.partition("#device=")
            assert address == f"{backend.url}/"
            assert f"confirm the code {code}" in editor.messages
            confirm(backend, code)
            wait_for("the end", lambda: "cato: signed in as ada" in editor.messages)
            wait_for("the backend", lambda: editor.status == "cato")

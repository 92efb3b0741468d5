"""A real Neovim, driven over its own RPC socket."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pynvim

from tests.e2e.neovim.install import Tools
from tests.e2e.waiting import PATIENCE_S, wait_for

GHOST = """
local space = vim.api.nvim_get_namespaces()['nvim.lsp.inline_completion']
if not space then return '' end
local text = {}
for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, space, 0, -1, { details = true })) do
  local lines = { mark[4].virt_text or {} }
  vim.list_extend(lines, mark[4].virt_lines or {})
  for _, line in ipairs(lines) do
    text[#text + 1] = vim.iter(line):map(function(chunk) return chunk[1] end):join('')
  end
end
return table.concat(text, '\\n')
"""

STATUSLINE = "%{v:lua.require'cato'.status()}"

INITIALIZED = """
local client = vim.lsp.get_clients({ bufnr = 0, name = 'cato' })[1]
return client ~= nil and client.initialized == true
"""


STATE = """
local client = vim.lsp.get_clients({ bufnr = 0, name = 'cato' })[1]
local answer = client and client:request_sync('cato/status', vim.NIL, 5000, 0)
return answer and answer.result and answer.result.state
"""


@dataclass(frozen=True, slots=True)
class Home:
    """A person's folders, configuration and environment, all of them below one folder."""

    root: Path
    tools: Tools
    variables: dict[str, str]

    @property
    def socket(self) -> Path:
        return self.root / "nvim.sock"

    @property
    def environment(self) -> dict[str, str]:
        folders = {
            f"XDG_{name}_HOME": str(self.root / name) for name in ("CONFIG", "DATA", "STATE")
        }
        # Of whoever runs the tests nothing may shine through.
        own = ("CATO_", "NVIM", "XDG_")
        system = {name: value for name, value in os.environ.items() if not name.startswith(own)}
        return {**system, **self.tools.environment, **folders, **self.variables}

    def with_backend(self, url: str, token: str) -> Home:
        """The same with a backend in the environment."""
        backend = {"CATO_BACKEND_URL": url, "CATO_BACKEND_TOKEN": token}
        return replace(self, variables={**self.variables, **backend})

    def command(self, init: str, file: Path) -> list[str]:
        """The command line of Neovim with `init` as its configuration."""
        script = self.root / "init.lua"
        script.write_text(init)
        return [
            str(self.tools.nvim),
            *("-u", str(script), "-i", "NONE", "-n", "--listen", str(self.socket), str(file)),
        ]


class Editor:
    """What a test does with Neovim: type, look, run Lua."""

    def __init__(self, rpc: pynvim.Nvim) -> None:
        self._rpc = rpc

    def type(self, keys: str) -> None:
        """Keys as if typed, in Neovim's notation (`<Tab>`)."""
        self._rpc.input(keys)

    def lua(self, code: str, *arguments: Any) -> Any:
        return self._rpc.exec_lua(code, *arguments)

    def command(self, line: str) -> None:
        self._rpc.command(line)

    @property
    def ghost(self) -> str:
        """The suggestion on display, empty where there is none."""
        return str(self.lua(GHOST))

    @property
    def lines(self) -> list[str]:
        """The current buffer."""
        return list(self._rpc.current.buffer[:])

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def blocked(self) -> bool:
        """Whether Neovim waits for a key before it goes on: a message that needs an answer."""
        return bool(self._rpc.api.get_mode()["blocking"])

    @property
    def messages(self) -> str:
        """All that was said on the message line."""
        return str(self._rpc.command_output("messages"))

    @property
    def status(self) -> str:
        """What the plugin has in the statusline."""
        return str(self.lua("return vim.api.nvim_eval_statusline(..., {}).str", STATUSLINE))

    @property
    def label(self) -> str:
        """The line above the current window."""
        return str(self.lua("return vim.wo.winbar"))

    @property
    def windows(self) -> int:
        return int(self.lua("return #vim.api.nvim_list_wins()"))

    def wait_attached(self) -> None:
        wait_for("the language server", lambda: self.lua(INITIALIZED))

    def wait_ready(self) -> None:
        """Until the language server has its backend; asks it, for stock Neovim shows no status."""
        self.wait_attached()
        wait_for("a ready backend", lambda: self.lua(STATE) == "ready")

    def wait_ghost(self) -> str:
        return wait_for("ghost text", lambda: self.ghost)

    def quit(self) -> None:
        """Asks Neovim to leave without saving; the connection ends with it."""
        with suppress(OSError, EOFError):
            self._rpc.command("qall!", async_=True)


def _attach(socket: Path) -> pynvim.Nvim | None:
    try:
        return pynvim.attach("socket", path=str(socket))
    except (FileNotFoundError, ConnectionRefusedError):
        return None


def connect(home: Home) -> Editor:
    """The Neovim that was started in `home`, once its configuration has run."""
    editor = Editor(wait_for("Neovim's socket", lambda: _attach(home.socket)))
    wait_for("the end of its start", lambda: editor.lua("return vim.v.vim_did_enter == 1"))
    return editor


@contextmanager
def headless(home: Home, init: str, file: Path) -> Generator[Editor, None, None]:
    """Neovim without a screen."""
    command = home.command(init, file)
    with subprocess.Popen(
        [command[0], "--headless", *command[1:]],
        env=home.environment,
        cwd=file.parent,
        stdin=subprocess.DEVNULL,
    ) as process:
        try:
            editor = connect(home)
            yield editor
            editor.quit()
            process.wait(PATIENCE_S)
        finally:
            process.kill()

"""The configurations that the documentation tells people to use: tests run these very words."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]
PLUGIN = REPOSITORY / "neovim-plugin"
GUIDE = REPOSITORY / "docs/neovim.md"


def blocks(heading: str, language: str = "lua") -> list[str]:
    """The code blocks under `## heading` of the guide. Raises AssertionError if there are none."""
    section = GUIDE.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.findall(rf"^```{language}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert found, f"{GUIDE.name}: no {language} block under {heading!r}"
    return found


def stock() -> str:
    """The block for Neovim without the plugin."""
    (block,) = blocks("Stock Neovim, no plugin")
    return block


def stock_with_backend(url: str, token_file: Path) -> str:
    """The same block after a person has filled in a team's backend and its token's file."""
    block = stock()
    for example, own in (
        ("-- url = 'https://gpu.example.com:8700'", f"url = '{url}'"),
        ("-- token = ", "token = "),
        ("~/.config/cato/token", str(token_file)),
    ):
        assert example in block, f"{GUIDE.name}: the stock block no longer says {example!r}"
        block = block.replace(example, own)
    return block


def plugin() -> str:
    """The plugin from a checkout, enabled, with its mappings and its statusline."""
    managed = blocks("The plugin")
    checkout = next(block for block in managed if "/path/to/checkout" in block)
    enable = next(block for block in managed if "vim.lsp.enable" in block)
    keys = next(block for block in managed if "cato-accept-word" in block)
    tasks = next(block for block in managed if "cato-summarize" in block)
    status = next(block for block in managed if "statusline" in block)
    located = checkout.replace("/path/to/checkout/neovim-plugin", str(PLUGIN))
    return "\n".join([located, enable, keys, tasks, status])


def managed(repository: str) -> str:
    """The plugin through Neovim's own package manager, which asks nothing in a test."""
    block = next(block for block in blocks("The plugin") if "vim.pack" in block)
    return block.replace("REPOSITORY", repository).replace(
        "{\n  load", "{\n  confirm = false,\n  load"
    )


def lazy() -> str:
    """The plugin's specification for lazy.nvim."""
    return next(block for block in blocks("The plugin") if "lazy = false" in block)

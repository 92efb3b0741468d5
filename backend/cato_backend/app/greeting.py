"""What `cato serve` prints once it takes requests: how to connect."""

from __future__ import annotations


def greeting(url: str, token_file: str, found_by_editors: bool) -> str:
    """How VS Code, Neovim and curl reach the backend at `url`."""
    bearer = f' -H "Authorization: Bearer $(head -1 {token_file})"' if token_file else ""
    where = "found by itself" if found_by_editors else f"set cato.backend.url to {url}"
    return f"""
CATO serves at {url}    (stop with Ctrl-C)

  VS Code   the extension cato-*.vsix, which `make vsix` builds in a checkout    ({where})
  Neovim    the block of docs/neovim.md, with cato-lsp on PATH    ({where})
  Terminal  cato complete FILE:LINE:COL    cato doctor
  curl      curl {url}/v1/completions -H 'Content-Type: application/json'{bearer} \\
              -d '{{"prompt": "def add(a, b):\\n    return", "suffix": "\\n", "max_tokens": 16}}'
"""

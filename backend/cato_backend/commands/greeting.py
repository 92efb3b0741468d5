"""What `cato serve` prints once it takes requests: how to connect."""

from __future__ import annotations


def greeting(url: str, token_file: str, found_by_editors: bool) -> str:
    """How VS Code, Neovim and curl reach the backend at `url`."""
    bearer = f' -H "Authorization: Bearer $(head -1 {token_file})"' if token_file else ""
    where = "" if found_by_editors else f" (set cato.backend.url to {url})"
    address = f"settings = {{ cato = {{ backend = {{ url = '{url}' }} }} }},"
    settings = "" if found_by_editors else f"\n                 {address}"
    return f"""
CATO serves at {url}    (stop with Ctrl-C)

  VS Code   make vsix && code --install-extension vscode-extension/cato-*.vsix{where}
  Neovim    vim.lsp.config('cato', {{ cmd = {{ 'cato-lsp' }}, root_markers = {{ '.git' }},{settings}
                 filetypes = {{ 'python', 'javascript', 'typescript', 'go', 'rust' }} }})
            vim.lsp.enable('cato'); vim.lsp.inline_completion.enable()      more: docs/neovim.md
  Terminal  cato complete FILE:LINE:COL
  curl      curl {url}/v1/completions -H 'Content-Type: application/json'{bearer} \\
                 -d '{{"prompt": "def add(a, b):\\n    return", "suffix": "\\n", "max_tokens": 16}}'
"""

"""The lines that `cato serve` prints once it is ready. They can be copied."""

from __future__ import annotations

import shlex
import socket
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from cato_backend.app.loopback_token import loopback_token, loopback_token_path
from cato_backend.config import ServerConfig

_PROMPT = r"def read(path):\n    with open(path) as file:\n        return"
"""The smallest model that is shipped answers it well, too: `file.read()`."""
_BODY = f'{{"prompt": "{_PROMPT}", "suffix": "\\n", "stop": "\\n", "temperature": 0}}'
_ENVIRONMENT_TOKEN = "$CATO_BACKEND_TOKEN"


def token_command(config: ServerConfig, *, needed: bool) -> str:
    """Return what stands for a token in a shell; "" where none is needed.

    The token itself is never printed. One of the store is known to its person alone.
    """
    if not needed:
        return ""
    if config.token_file:
        path = shlex.quote(str(Path(config.token_file).expanduser().absolute()))
        # The first line that is neither empty nor a comment.
        return f"$(grep -m1 '^[[:space:]]*[^#[:space:]]' {path})"
    if loopback_token(config) is not None:
        return f"$(cat {shlex.quote(str(loopback_token_path()))})"
    return _ENVIRONMENT_TOKEN


def reachable(url: str, host_name: str | None = None) -> str:
    """Return the URL with this machine's name where its host stands for all addresses."""
    parts = urlsplit(url)
    if not _is_any(parts.hostname or ""):
        return url
    name = host_name or socket.gethostname()
    return urlunsplit(parts._replace(netloc=f"{name}:{parts.port}"))


def greeting(url: str, token: str, found_by_editors: bool) -> str:
    """Return how a browser, VS Code, Neovim and curl reach the backend at `url`.

    `token`: as `token_command` returns it.
    """
    url = reachable(url)
    where = "found by itself" if found_by_editors else f"set cato.backend.url to {url}"
    bearer = f' \\\n              -H "Authorization: Bearer {token}"' if token else ""
    shown = "" if not token else f"\n  Token     {_shown(token)}"
    return f"""
CATO serves at {url}    (stop with Ctrl-C)

  Browser   {url}/    what happens now, and lines that connect each editor
  VS Code   the extension cato-*.vsix, which `make vsix` builds in a checkout    ({where})
  Neovim    the block of docs/neovim.md, with cato-lsp on PATH    ({where})
  Terminal  cato complete FILE:LINE:COL    cato doctor
  curl      curl {url}/v1/completions{bearer} \\
              -H 'Content-Type: application/json' \\
              -d '{_BODY}'{shown}
"""


def _shown(token: str) -> str:
    """Return the command that prints a token, or how one is made."""
    if token == _ENVIRONMENT_TOKEN:
        return "export CATO_BACKEND_TOKEN=..., as `cato token create` printed it"
    return token.removeprefix("$(").removesuffix(")")


def _is_any(host: str) -> bool:
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False

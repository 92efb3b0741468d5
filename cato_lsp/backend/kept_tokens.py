"""Tokens that this user got by signing in: each is for one backend's address, and sent to no other.

They are kept in `<state dir>/sign-ins.json`, mode 0600.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

from cato_backend.wire.paths import state_dir
from cato_backend.wire.private_files import complaint, write_private


class UntrustedTokens(ValueError):
    """The file exists but must not be used: open to others, or not as it is written here."""


def kept_tokens_path() -> Path:
    """Return the file."""
    return state_dir() / "sign-ins.json"


def kept_token(url: str) -> str | None:
    """Return the token for the backend at `url`; None if the user has not signed in there.

    Raises UntrustedTokens.
    """
    return _read().get(url)


def keep_token(url: str, token: str) -> None:
    """Keep the token for the backend at `url`. Raises UntrustedTokens, OSError."""
    _write({**_read(), url: token})


def forget_token(url: str) -> None:
    """Forget the token for the backend at `url`. Raises UntrustedTokens, OSError."""
    _write({known: token for known, token in _read().items() if known != url})


def _read() -> dict[str, str]:
    path = kept_tokens_path()
    try:
        found = complaint(path)
        value: object = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise UntrustedTokens(f"{path}: {error}; remove it and sign in again") from error
    if found:
        raise UntrustedTokens(found)
    if not isinstance(value, dict):
        raise UntrustedTokens(f"{path}: it holds no tokens; remove it and sign in again")
    entries = cast("dict[str, object]", value).items()
    return {url: token for url, token in entries if isinstance(token, str)}


def _write(tokens: dict[str, str]) -> None:
    write_private(kept_tokens_path(), json.dumps(tokens))

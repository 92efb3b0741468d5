"""Clients of a server that listens must know its token."""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from cato_backend.wire.loopback import is_loopback
from cato_backend.wire.private_files import complaint

VARIABLE = "CATO_LSP_TOKEN"


class UnsafeListener(ValueError):
    """The server would accept connections of other machines without a token."""


def listener_token(host: str, token_file: Path | None) -> str | None:
    """Return the token that clients must know, or None. Raises UnsafeListener, OSError."""
    if token_file and (found := complaint(token_file)):
        raise UnsafeListener(found)
    given = token_file.read_text(encoding="utf-8") if token_file else os.environ.get(VARIABLE, "")
    token = given.strip() or None
    if token is None and token_file is not None:
        raise UnsafeListener(f"{token_file} is empty: it must hold a token")
    if token is None and not is_loopback(host):
        raise UnsafeListener(
            f"others can connect to {host}: give --token-file or {VARIABLE}, or listen on 127.0.0.1"
        )
    return token


def knows(token: str, message: Mapping[str, Any]) -> bool:
    """Return whether a client's first message is an `initialize` that holds the token.

    It is looked for as `initializationOptions.server.token`.
    """
    value: object = message if message.get("method") == "initialize" else None
    for name in ("params", "initializationOptions", "server", "token"):
        value = cast("Mapping[str, object]", value).get(name) if isinstance(value, dict) else None
    return isinstance(value, str) and hmac.compare_digest(value.encode(), token.encode())


def bearer(token: str, header: str | None) -> bool:
    """Return whether an `Authorization` header holds the token."""
    return header is not None and hmac.compare_digest(header.encode(), f"Bearer {token}".encode())

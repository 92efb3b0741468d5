"""Secrets of access tokens: made once, kept as hashes."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from cato_backend.team.records import AccessToken

PREFIX = "cato_"
SECRET_BYTES = 32
SHOWN_CHARS = len(PREFIX) + 6


class NewToken(NamedTuple):
    """A token that was made just now; its secret is nowhere else."""

    secret: str
    token: AccessToken

    def __repr__(self) -> str:
        return f"NewToken({self.token!r})"


def token_hash(secret: str) -> bytes:
    """Return what the store keeps of a secret: 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode(errors="surrogateescape")).digest()


def begins(token: AccessToken, text: str) -> bool:
    """Return whether the text is the beginning of the token's name, id or secret."""
    if text in PREFIX:
        return False
    return any(each.startswith(text) for each in (token.name, token.id, token.starts))

"""Bearer tokens of the token file: read, kept, compared in constant time."""

from __future__ import annotations

import codecs
import hashlib
import hmac
from collections.abc import Iterable
from pathlib import Path

from cato_backend.errors import ConfigError, Unauthorized
from cato_backend.team.database import check_private

_BOM = "\ufeff"
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Tokens:
    """The accepted bearer tokens."""

    def __init__(self, tokens: Iterable[str]) -> None:
        self._tenants = {_bytes(token): _tenant(token) for token in tokens}

    def __len__(self) -> int:
        return len(self._tenants)

    @property
    def first(self) -> str | None:
        """The token that this user's own editors are given."""
        return next((token.decode() for token in self._tenants), None)

    def tenant(self, authorization: str | None) -> str:
        """Return the tenant of a token, in constant time. Raises Unauthorized."""
        found = self.find(bearer_token(authorization))
        if not found:
            raise unauthorized()
        return found

    def find(self, secret: str) -> str:
        """Return the tenant of a token, in constant time; "" if it is not valid."""
        given, found = _bytes(secret), ""
        for token, tenant in self._tenants.items():
            if hmac.compare_digest(token, given):
                found = tenant
        return found


def bearer_token(authorization: str | None) -> str:
    """Return the token of an `Authorization` header. Raises Unauthorized."""
    scheme, _, given = (authorization or "").partition(" ")
    if scheme.lower() != "bearer":
        raise unauthorized()
    return given.strip()


def unauthorized() -> Unauthorized:
    """Return the error for a token that is missing or wrong."""
    return Unauthorized("authorization: expected 'Bearer TOKEN' with a token of this server")


def _bytes(token: str) -> bytes:
    """Return the bytes of a header, which need not be UTF-8."""
    return token.encode(errors="surrogateescape")


def _tenant(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()[:12]


def read_tokens(path: Path) -> Tokens:
    """One token a line; empty lines and those that begin with # are skipped. Raises ConfigError."""
    try:
        check_private("server.token_file", path)
        data = path.read_bytes()
        text = data.decode("utf-16" if data.startswith(_UTF_16) else "utf-8")
    except OSError as error:
        raise ConfigError(f"server.token_file: {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"server.token_file: {path}: {error}") from error
    # Files that were put together from several may have a BOM anywhere.
    lines = [line.replace(_BOM, "").strip() for line in text.splitlines()]
    for number, line in enumerate(lines, start=1):
        if len(line.split()) > 1 and not line.startswith("#"):
            raise ConfigError(
                f"server.token_file: {path}, line {number}: expected one token, without spaces"
            )
    tokens = [line for line in lines if line and not line.startswith("#")]
    if not tokens:
        raise ConfigError(f"server.token_file: {path} holds no token; write one a line")
    return Tokens(tokens)

"""Bearer tokens and the TLS certificate, which may change while the server runs."""

from __future__ import annotations

import asyncio
import codecs
import os
import ssl
from collections.abc import Callable
from pathlib import Path

from cato_backend.config import ServerConfig
from cato_backend.errors import ConfigError
from cato_backend.gateway.auth import Tokens

_LOOK_S = 1.0
"""Between two looks at the file of tokens."""
_BOM = "\ufeff"
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Credentials:
    """What is valid now. What cannot be read again does not replace what is valid."""

    def __init__(self, config: ServerConfig, extra_tokens: tuple[str, ...] = ()) -> None:
        """Raises ConfigError naming the field."""
        self._config = config
        self._file = Path(config.token_file).expanduser() if config.token_file else None
        self._seen = self._state()
        self.tokens = read_tokens(self._file) if self._file else Tokens(extra_tokens)
        self.tls = read_certificate(config)
        """For connections to come; those that are open keep theirs."""
        self.on_new_tokens: Callable[[], None] | None = None

    def reload(self) -> list[str]:
        """Reads both again; what became of each, for people."""
        return [self._reload_tokens(), self._reload_certificate()]

    async def watch(self, on_news: Callable[[str], None]) -> None:
        """Reads the file of tokens whenever it has changed, until it is cancelled."""
        while self._file is not None:
            await asyncio.sleep(_LOOK_S)
            state = await asyncio.to_thread(self._state)
            if state != self._seen:
                on_news(self._reload_tokens())

    def _state(self) -> tuple[int, ...] | None:
        """Differs whenever the file has changed; None where it cannot be looked at."""
        try:
            found = os.stat(self._file) if self._file else None
        except OSError:
            return None
        return found and (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    def _reload_tokens(self) -> str:
        if self._file is None:
            return "tokens: no server.token_file to read"
        self._seen = self._state()
        try:
            self.tokens = read_tokens(self._file)
        except ConfigError as error:
            return f"{error}; the {len(self.tokens)} former tokens stay valid"
        if self.on_new_tokens is not None:
            self.on_new_tokens()
        return f"tokens: {len(self.tokens)} in {self._file}"

    def _reload_certificate(self) -> str:
        try:
            self.tls = read_certificate(self._config)
        except ConfigError as error:
            return f"{error}; the former certificate stays in use"
        return f"certificate: {self._config.tls_cert or 'none'}"


def read_tokens(path: Path) -> Tokens:
    """One token a line; empty lines and those that begin with # are skipped. Raises ConfigError."""
    try:
        data = path.read_bytes()
        text = data.decode("utf-16" if data.startswith(_UTF_16) else "utf-8")
    except (OSError, UnicodeDecodeError) as error:
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


def read_certificate(config: ServerConfig) -> ssl.SSLContext | None:
    """The context for servers; None without TLS. Raises ConfigError naming the field."""
    if bool(config.tls_cert) != bool(config.tls_key):
        missing = "server.tls_key" if config.tls_cert else "server.tls_cert"
        raise ConfigError.of(missing, "", "a file: certificate and key come together")
    if not config.tls_cert:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(config.tls_cert, config.tls_key, _refuse_to_ask)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"server.tls_cert, server.tls_key: {config.tls_cert}, {config.tls_key}: {error}"
        ) from error
    return context


def _refuse_to_ask() -> str:
    """In place of OpenSSL's question on the terminal. Raises ConfigError."""
    raise ConfigError("server.tls_key: the key is encrypted; expected one without a passphrase")

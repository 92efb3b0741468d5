"""Who may come in: bearer tokens, the TLS certificate, and on loopback no web page.

Tokens and certificate may change while the server runs.
"""

from __future__ import annotations

import asyncio
import codecs
import hashlib
import hmac
import ipaddress
import os
import ssl
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path

from aiohttp import web

from cato_backend.config import ServerConfig
from cato_backend.errors import ConfigError, Forbidden, Unauthorized

_LOCAL_NAMES = frozenset({"localhost", "ip6-localhost"})
_LOOK_S = 1.0
"""Between two looks at the file of tokens."""
_BOM = "\ufeff"
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Tokens:
    """The accepted bearer tokens. Without any, everybody is the same unnamed tenant."""

    def __init__(self, tokens: Iterable[str]) -> None:
        self._tenants = {_bytes(token): _tenant(token) for token in tokens}

    def __len__(self) -> int:
        return len(self._tenants)

    @property
    def first(self) -> str | None:
        """The token that this user's own editors are given."""
        return next((token.decode() for token in self._tenants), None)

    def tenant(self, authorization: str | None) -> str:
        """Whose token this is. Raises Unauthorized. Takes as long for every wrong token."""
        if not self._tenants:
            return ""
        scheme, _, given = (authorization or "").partition(" ")
        found = ""
        for token, tenant in self._tenants.items():
            if hmac.compare_digest(token, _bytes(given.strip())):
                found = tenant
        if scheme.lower() != "bearer" or not found:
            raise Unauthorized("authorization: expected 'Bearer TOKEN' with a token of this server")
        return found


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address or name. Unknown names count as no."""
    name = host.strip("[]").lower()
    if name in _LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def check_local(request: web.BaseRequest) -> None:
    """Refuses what a web page in the user's browser could send here. Raises Forbidden.

    A page can make the browser connect to loopback: its request carries an Origin, or, by DNS
    rebinding, the page's own host name.
    """
    if "Origin" in request.headers:
        raise Forbidden("origin: requests of web pages are refused on a loopback address")
    if not _names_loopback(request.headers.get("Host", "")):
        raise Forbidden("host: expected localhost or a loopback address")


@lru_cache(maxsize=256)
def _names_loopback(host: str) -> bool:
    """Whether a `Host` header, with or without a port, names this machine."""
    return is_loopback(host.rpartition(":")[0] if _has_port(host) else host)


def _has_port(host: str) -> bool:
    return host.rpartition(":")[2].isdigit() and not host.endswith("]") and host.count(":") != 0


def _bytes(token: str) -> bytes:
    """A header may carry bytes that are no UTF-8."""
    return token.encode(errors="surrogateescape")


def _tenant(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()[:12]


class Credentials:
    """What is valid now. What cannot be read anew does not replace what is valid."""

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

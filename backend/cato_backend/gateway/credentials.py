"""Authentication: bearer tokens, the TLS certificate, and the end of requests of revoked tokens.

Tokens are those of the store of people and teams, and those of a file. Both, and the certificate,
may change while the server runs.
"""

from __future__ import annotations

import asyncio
import codecs
import hashlib
import hmac
import os
import secrets
import ssl
from collections.abc import Callable, Iterable
from pathlib import Path

from cato_backend.clock import Clock, monotonic
from cato_backend.config import ServerConfig
from cato_backend.errors import ConfigError, Unauthorized
from cato_backend.runtime.runtime import Runtime
from cato_backend.team.database import check_private
from cato_backend.team.index import Requester
from cato_backend.team.live import LiveTeams, TeamSettings
from cato_backend.wire.addresses import is_loopback

_BOM = "\ufeff"

_LOOK_S = 1.0
"""Between two looks at the file of tokens."""

_REVISION_S = 0.25
"""Between two looks at the store's revision. The store is looked at every half second."""

_EXPIRY_S = 1.0
"""Between two looks at all requests in flight while nothing changes in the store."""


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


class Credentials:
    """Tokens and certificate that are valid now. They are kept when their file cannot be read."""

    def __init__(
        self,
        config: ServerConfig,
        extra_tokens: tuple[str, ...] = (),
        teams: LiveTeams | None = None,
        *,
        signs_in: bool = False,
    ) -> None:
        """Raise ConfigError naming the field. `signs_in`: whether people sign in by a provider."""
        self._config = config
        self._signs_in = signs_in
        self.teams = teams or LiveTeams(TeamSettings())
        self._own = Tokens([secrets.token_urlsafe(32)])
        """For this user's own editors, where all other tokens are known by their hashes alone."""
        self._file = Path(config.token_file).expanduser() if config.token_file else None
        self._seen = self._state()
        self.tokens = read_tokens(self._file) if self._file else Tokens(extra_tokens)
        self.tls = read_certificate(config)
        """For connections to come; those that are open keep theirs."""
        self.on_new_tokens: Callable[[], None] | None = None

    @property
    def has_people(self) -> bool:
        """Whether people have tokens, or get them by signing in."""
        return self._signs_in or self.teams.has_tokens

    @property
    def needs_token(self) -> bool:
        """Whether every request needs a token: always, where others reach the server."""
        is_private = is_loopback(self._config.host)
        return not is_private or bool(self.tokens) or self.has_people

    @property
    def own_token(self) -> str | None:
        """The token that this user's own editors are given; None where they need none."""
        return self.tokens.first or (self._own.first if self.has_people else None)

    def identify(self, authorization: str | None) -> Requester:
        """Return who sends a request with this header. Raises Unauthorized."""
        if not self.needs_token:
            return Requester()
        given = bearer_token(authorization)
        person = self.teams.find(given)
        if person is not None:
            return person
        tenant = self._own.find(given) or self.tokens.find(given)
        if not tenant:
            raise unauthorized()
        return Requester(tenant)

    def check(self, authorization: str | None) -> None:
        """Raise Unauthorized where the header holds no token that is valid now."""
        self.identify(authorization)

    def reload(self) -> list[str]:
        """Read both again; return a line about each, for people."""
        return [self._reload_tokens(), self._reload_certificate()]

    async def watch(self, on_news: Callable[[str], None]) -> None:
        """Read the file of tokens whenever it has changed, until it is cancelled."""
        needed = self.needs_token
        while True:
            await asyncio.sleep(_LOOK_S)
            if not needed and self.needs_token:
                needed = True
                on_news("the first token was made: every request needs a token from now on")
                if self.on_new_tokens is not None:
                    self.on_new_tokens()
            if self._file is not None and await asyncio.to_thread(self._state) != self._seen:
                on_news(self._reload_tokens())

    def _state(self) -> tuple[int, ...] | None:
        """Return what differs whenever the file has changed; None where it cannot be read."""
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


def check_files(config: ServerConfig) -> None:
    """Read the files of tokens and of the certificate. Raises ConfigError naming the field."""
    read_certificate(config)
    if config.token_file:
        read_tokens(Path(config.token_file).expanduser())


def read_certificate(config: ServerConfig) -> ssl.SSLContext | None:
    """Return the context for servers; None without TLS. Raises ConfigError naming the field."""
    if bool(config.tls_cert) != bool(config.tls_key):
        missing = "server.tls_key" if config.tls_cert else "server.tls_cert"
        raise ConfigError.of(missing, "", "a file: certificate and key come together")
    if not config.tls_cert:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        check_private("server.tls_key", Path(config.tls_key))
        context.load_cert_chain(config.tls_cert, config.tls_key, _refuse_to_ask)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"server.tls_cert, server.tls_key: {config.tls_cert}, {config.tls_key}: {error}"
        ) from error
    return context


def _refuse_to_ask() -> str:
    """In place of OpenSSL's question on the terminal. Raises ConfigError."""
    raise ConfigError("server.tls_key: the key is encrypted; expected one without a passphrase")


class EndedTokens:
    """Ends requests of invalid tokens, at each change of the store and once a second."""

    def __init__(self, runtime: Runtime, teams: LiveTeams, clock: Clock = monotonic) -> None:
        self._runtime = runtime
        self._teams = teams
        self._clock = clock
        self._seen = teams.revision
        self._looked = clock()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(_REVISION_S)
            self.look()

    def look(self) -> None:
        """End what a token asked for that is not valid any more, where it is time to look."""
        now, revision = self._clock(), self._teams.revision
        if revision == self._seen and now - self._looked < _EXPIRY_S:
            return
        self._seen, self._looked = revision, now
        if self._teams.has_tokens:
            self._runtime.end_where(lambda call: self._teams.ended(call.token_id))

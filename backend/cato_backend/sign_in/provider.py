"""A client of an OpenID Connect provider: its metadata, and the claims of a person."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import quote, urlencode

import aiohttp

from cato_backend.config.sign_in import OidcConfig
from cato_backend.errors import InvalidSignIn, ProviderUnavailable, ProviderUnusable
from cato_backend.sign_in.admission import Claims, SignInAttempt
from cato_backend.sign_in.id_tokens import (
    WELL_KNOWN,
    Endpoints,
    ExpectedToken,
    UnknownKey,
    checked_claims,
    endpoints_of,
)

_ANSWER_S = 10.0
_MOST_BYTES = 1024 * 1024
_FRESH_S = 3600.0
"""Until this age, documents of a provider are used without asking again."""
_KEYS_S = 10.0
"""Between two looks for a new key: tokens with unknown ones must not keep the provider busy."""


@dataclass(frozen=True, slots=True)
class _Tokens:
    id_token: str = field(repr=False)
    access_token: str = field(repr=False)


class Provider:
    """One provider. Raises ProviderUnavailable without an answer, ProviderUnusable for a bad one.

    Times on `clock`, in seconds. Nothing that is secret gets into a message.
    """

    def __init__(self, config: OidcConfig, secret: str, clock: Callable[[], float]) -> None:
        self._config = config
        self._secret = secret
        self._clock = clock
        self._http: aiohttp.ClientSession | None = None
        self._lock = asyncio.Lock()
        self._endpoints: tuple[float, Endpoints] | None = None
        self._failed: tuple[float, ProviderUnavailable] | None = None
        """The last request for its endpoints that failed, and when."""
        self._keys: tuple[float, list[dict[str, Any]]] | None = None

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.close()

    async def endpoints(self) -> Endpoints:
        """Return where the provider is asked for what."""
        began = self._clock()
        async with self._lock:
            now = self._clock()
            if self._endpoints is None or now - self._endpoints[0] > _FRESH_S:
                if self._failed is not None and self._failed[0] >= began:
                    # It failed while this caller waited; each would else add its own timeout.
                    raise self._failed[1].with_traceback(None)
                self._endpoints = now, await self._published()
            return self._endpoints[1]

    async def _published(self) -> Endpoints:
        issuer = self._config.issuer
        try:
            return endpoints_of(await self._get(issuer.rstrip("/") + WELL_KNOWN), issuer)
        except ProviderUnavailable as error:
            self._failed = self._clock(), error
            raise

    async def authorization_url(self, attempt: SignInAttempt, redirect_uri: str) -> str:
        """Return where a browser is sent to sign in."""
        url = (await self.endpoints()).authorization
        parameters = {
            "response_type": "code",
            "client_id": self._config.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(self._config.scopes),
            **attempt.parameters(),
        }
        return f"{url}{'&' if '?' in url else '?'}{urlencode(parameters)}"

    async def claims(self, code: str, attempt: SignInAttempt, redirect_uri: str) -> Claims:
        """Return who signed in, for the code that their browser brought back.

        Raises InvalidSignIn.
        """
        tokens = await self._redeemed(code, attempt, redirect_uri)
        endpoints = await self.endpoints()
        expected = ExpectedToken(
            endpoints.issuer, self._config.client_id, attempt.nonce, self._config.leeway_s
        )
        try:
            claims = checked_claims(tokens.id_token, await self._known_keys(_FRESH_S), expected)
        except UnknownKey:
            # Providers change their keys.
            claims = checked_claims(tokens.id_token, await self._known_keys(_KEYS_S), expected)
        if not endpoints.userinfo or not tokens.access_token:
            return claims
        # Many providers tell groups and addresses only there.
        headers = {"authorization": f"Bearer {tokens.access_token}"}
        more = await self._get(endpoints.userinfo, headers=headers)
        if more.get("sub") != claims["sub"]:
            raise ProviderUnusable("userinfo: its `sub` is of another person", param="sub")
        return _together(claims, more)

    async def _redeemed(self, code: str, attempt: SignInAttempt, redirect_uri: str) -> _Tokens:
        endpoints = await self.endpoints()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "client_id": self._config.client_id,
            "code_verifier": attempt.verifier,
        }
        headers: dict[str, str] = {}
        if self._secret and endpoints.takes_basic:
            name, secret = (quote(part, safe="") for part in (self._config.client_id, self._secret))
            credentials = b64encode(f"{name}:{secret}".encode()).decode()
            headers["authorization"] = f"Basic {credentials}"
        elif self._secret:
            form["client_secret"] = self._secret
        status, answer = await self._json("POST", endpoints.token, data=form, headers=headers)
        if status in (400, 401):
            raise _refused(answer)
        _check_status(endpoints.token, status)
        id_token = answer.get("id_token")
        if not isinstance(id_token, str):
            raise ProviderUnusable("token endpoint: it gave no id_token", param="id_token")
        return _Tokens(id_token, str(answer.get("access_token") or ""))

    async def _known_keys(self, oldest_s: float) -> list[dict[str, Any]]:
        """Return the provider's keys, asked for again where they are older than `oldest_s`."""
        endpoints = await self.endpoints()
        async with self._lock:
            now = self._clock()
            if self._keys is None or now - self._keys[0] > oldest_s:
                found = (await self._get(endpoints.keys)).get("keys")
                if not isinstance(found, list):
                    raise ProviderUnusable("jwks_uri: it has no list of keys", param="keys")
                keys = cast("list[object]", found)
                self._keys = (
                    now,
                    [cast("dict[str, Any]", key) for key in keys if isinstance(key, dict)],
                )
            return self._keys[1]

    async def _get(self, url: str, **request: Any) -> dict[str, Any]:
        status, answer = await self._json("GET", url, **request)
        _check_status(url, status)
        return answer

    async def _json(self, method: str, url: str, **request: Any) -> tuple[int, dict[str, Any]]:
        """Return the status, and the JSON object of an answer."""
        try:
            status, body = await self._answer(method, url, **request)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            reason = str(error) or type(error).__name__
            raise ProviderUnavailable(f"oidc.issuer: {url} does not answer: {reason}") from error
        try:
            value: object = json.loads(body)
        except ValueError:
            value = None
        if isinstance(value, dict):
            return status, cast("dict[str, Any]", value)
        _check_status(url, status)
        raise ProviderUnusable(f"oidc.issuer: {url} answered with no JSON object")

    async def _answer(self, method: str, url: str, **request: Any) -> tuple[int, bytes]:
        if self._http is None:
            # Unlike replicas, a provider may be behind the proxy that the environment names.
            timeout = aiohttp.ClientTimeout(total=_ANSWER_S)
            self._http = aiohttp.ClientSession(timeout=timeout, trust_env=True)
        async with self._http.request(method, url, allow_redirects=False, **request) as response:
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > _MOST_BYTES:
                    raise ProviderUnusable(f"oidc.issuer: {url} sent more than {_MOST_BYTES} bytes")
            return response.status, bytes(body)


def _together(claims: Claims, more: Claims) -> Claims:
    """Return the claims of the ID token, and what only the userinfo endpoint tells.

    `email_verified` holds only for the address in the same answer.
    """
    if more.get("email") != claims.get("email", more.get("email")):
        more = {name: value for name, value in more.items() if name != "email_verified"}
    return {**more, **claims}


def _check_status(url: str, status: int) -> None:
    if status != 200:
        raise ProviderUnavailable(f"oidc.issuer: {url} answered with status {status}")


def _refused(error: Mapping[str, object]) -> InvalidSignIn:
    """Return the error for a refusal of the token endpoint: an old code, a wrong secret."""
    return InvalidSignIn(
        f"code: the provider refused it: {error.get('error')!r:.100}; sign in again, and if it"
        " fails again compare oidc.client_id and the secret",
        param="code",
    )

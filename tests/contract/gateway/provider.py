"""A provider of sign-ins that can be told to misbehave."""

from __future__ import annotations

import hashlib
import json
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import jwt
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, SECRET = "cato", "a secret: of the client"
OWN_KEY, OTHER_KEY = (rsa.generate_private_key(65537, 2048) for _ in range(2))


@dataclass(slots=True)
class FakeProvider:
    """What it says; a test changes it between two sign-ins."""

    url: str = ""
    document: dict[str, Any] = field(default_factory=dict)
    """Laid over the discovery document; None removes a field."""
    claims: dict[str, Any] = field(default_factory=dict)
    """Laid over those of the ID token; None removes one."""
    userinfo: dict[str, Any] = field(default_factory=dict)
    key: rsa.RSAPrivateKey = OWN_KEY
    """Signs the ID tokens."""
    key_id: str = "first"
    published_id: str = "first"
    algorithm: str = "RS256"
    id_token: str | None = None
    """In place of one that is made."""
    token_status: int = 200
    asked: dict[str, dict[str, str]] = field(default_factory=dict)
    """By code, with what a browser came."""

    @property
    def issuer(self) -> dict[str, Any]:
        """The discovery document."""
        found = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "userinfo_endpoint": f"{self.url}/userinfo",
            **self.document,
        }
        return {name: value for name, value in found.items() if value is not None}

    async def discover(self, _: web.Request) -> web.Response:
        return web.json_response(self.issuer)

    async def authorize(self, request: web.Request) -> web.Response:
        """Everybody who comes is signed in at once."""
        asked = dict(request.query)
        code = f"code-{len(self.asked)}"
        self.asked[code] = asked
        to = f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"
        return web.Response(status=302, headers={"Location": to})

    async def token(self, request: web.Request) -> web.Response:
        """As RFC 6749 and 7636 say: a code once, by the client that has its verifier."""
        form = await request.post()
        asked = self.asked.pop(str(form["code"]), None)
        digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        given = b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
        if (
            asked is None
            or asked["code_challenge"] != urlsafe_b64encode(digest).decode().rstrip("=")
            or asked["redirect_uri"] != form["redirect_uri"]
            or given != "cato:a%20secret%3A%20of%20the%20client"
        ):
            return web.json_response({"error": "invalid_grant"}, status=400)
        return web.json_response(
            {"id_token": self.id_token or self._id_token(asked["nonce"]), "access_token": "at"},
            status=self.token_status,
        )

    def _id_token(self, nonce: str) -> str:
        now = time.time()
        claims = {
            "iss": self.url,
            "sub": "1",
            "aud": CLIENT,
            "nonce": nonce,
            "iat": now,
            "exp": now + 60,
            "email": "ada@example.com",
            "email_verified": True,
            **self.claims,
        }
        key: Any = self.key if self.algorithm == "RS256" else SECRET * 2
        return jwt.encode(
            {name: value for name, value in claims.items() if value is not None},
            key,
            self.algorithm,
            {"kid": self.key_id},
        )

    async def keys(self, _: web.Request) -> web.Response:
        key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(OWN_KEY.public_key()))
        return web.json_response({"keys": [{**key, "kid": self.published_id, "use": "sig"}]})

    async def about(self, request: web.Request) -> web.Response:
        assert request.headers["authorization"] == "Bearer at"
        return web.json_response({"sub": self.claims.get("sub", "1"), **self.userinfo})


@asynccontextmanager
async def fake_provider() -> AsyncGenerator[FakeProvider]:
    """Yield one that runs in this process."""
    provider = FakeProvider()
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", provider.discover)
    app.router.add_get("/authorize", provider.authorize)
    app.router.add_post("/token", provider.token)
    app.router.add_get("/keys", provider.keys)
    app.router.add_get("/userinfo", provider.about)
    async with TestServer(app, host="127.0.0.1") as server:
        provider.url = str(server.make_url("/")).rstrip("/")
        yield provider

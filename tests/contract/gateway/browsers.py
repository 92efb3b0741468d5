"""Browsers before a server to which people sign in."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from tests.contract.gateway.provider import CLIENT, SECRET, FakeProvider, fake_provider
from tests.contract.gateway.serving import Serve, serving
from tests.contract.gateway.site import Answer
from tests.fakes import fake_vllm
from tests.secret_files import secret_file

ADA = {"person": "ada@example.com", "team": "everybody", "role": "user"}
_CONFIG = """
[oidc]
issuer = "{issuer}"
client_id = "{client}"
client_secret_file = "{secret}"
"""
EXAMPLE = 'allowed_domains = ["example.com"]\n'


@dataclass(slots=True)
class Browser:
    """A client that keeps cookies, as a browser does."""

    serve: Serve
    provider: FakeProvider
    http: aiohttp.ClientSession
    folder: Path

    async def call(self, method: str, path: str, **request: Any) -> Answer:
        """The response, whatever it is; no redirect is followed."""
        url = path if path.startswith("http") else self.serve.url + path
        async with self.http.request(method, url, allow_redirects=False, **request) as response:
            return Answer(response.status, response.headers, await response.read())

    async def returned(self) -> str:
        """To the provider and back: the address to which it sends the browser."""
        began = await self.call("GET", "/sign-in")
        assert began.status == 303, began.body
        return (await self.call("GET", began.headers["Location"])).headers["Location"]

    async def sign_in(self) -> Answer:
        return await self.call("GET", await self.returned())

    async def whoami(self) -> Any:
        return (await self.call("GET", "/v1/whoami")).json

    @property
    def from_own_page(self) -> dict[str, str]:
        """Headers of a request that the server's own page makes."""
        return {"Origin": str(URL(self.serve.url).origin())}

    @property
    def audit(self) -> list[dict[str, Any]]:
        """The audit log, without the times."""
        lines = (self.folder / "people.audit.jsonl").read_text().splitlines()
        return [{k: v for k, v in json.loads(line).items() if k != "at"} for line in lines]


@asynccontextmanager
async def peopled(
    folder: Path,
    more: str = EXAMPLE,
    document: dict[str, Any] | None = None,
    arguments: tuple[str, ...] = (),
) -> AsyncGenerator[Browser]:
    """A server to which people sign in. `document`: laid over what the provider publishes."""
    secret = secret_file(folder / "client-secret", SECRET)
    async with fake_vllm() as fake, fake_provider() as provider:
        provider.document = document or {}
        config = _CONFIG.format(issuer=provider.url, client=CLIENT, secret=secret) + more
        arguments = ("--team-store", str(folder / "people.sqlite3"), *arguments)
        jar = aiohttp.CookieJar(unsafe=True)
        async with (
            serving(folder, *arguments, config=config, replicas=(fake.url,)) as serve,
            aiohttp.ClientSession(
                cookie_jar=jar, connector=aiohttp.TCPConnector(ssl=False)
            ) as http,
        ):
            yield Browser(serve, provider, http, folder)

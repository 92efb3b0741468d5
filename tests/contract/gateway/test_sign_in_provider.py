"""What can be wrong with a sign-in at the provider, and with the way back."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from cato_backend.config import OidcConfig
from cato_backend.errors import InvalidSignIn
from cato_backend.sign_in.admission import SignInAttempt
from cato_backend.sign_in.provider import Provider
from tests.contract.gateway.browsers import Browser, peopled
from tests.contract.gateway.provider import CLIENT, OTHER_KEY, SECRET, fake_provider
from tests.contract.gateway.serving import serving
from tests.fakes import fake_vllm

WRONG_TOKENS: dict[str, tuple[dict[str, Any], str]] = {
    "expired": ({"claims": {"exp": time.time() - 600}}, "exp"),
    "from the future": ({"claims": {"iat": time.time() + 600}}, "iat"),
    "for another client": ({"claims": {"aud": "another"}}, "aud"),
    "for several clients": ({"claims": {"aud": [CLIENT, "another"]}}, "azp"),
    "issued to another": ({"claims": {"azp": "another"}}, "azp"),
    "of another issuer": ({"claims": {"iss": "https://evil.example"}}, "iss"),
    "of another sign-in": ({"claims": {"nonce": "another"}}, "nonce"),
    "without a nonce": ({"claims": {"nonce": None}}, "nonce"),
    "without a subject": ({"claims": {"sub": None}}, "sub"),
    "signed by another": ({"key": OTHER_KEY}, "signature"),
    "signed with an unknown key": ({"key_id": "second"}, "kid"),
    "signed with the secret": ({"algorithm": "HS256"}, "alg"),
    "not signed": ({"id_token": "eyJhbGciOiJub25lIn0.e30."}, "alg"),
    "no token": ({"id_token": "nonsense"}, "id_token"),
}


async def test_a_wrong_token_is_refused_by_what_is_wrong(tmp_path: Path) -> None:
    async with peopled(tmp_path) as browser:
        for name, (wrong, param) in WRONG_TOKENS.items():
            normal = {each: getattr(browser.provider, each) for each in wrong}
            for each, value in wrong.items():
                setattr(browser.provider, each, value)
            refused = await browser.sign_in()
            assert (refused.status, refused.error["code"]) == (400, "invalid_sign_in"), name
            assert refused.error["param"] == param, name
            for each, value in normal.items():
                setattr(browser.provider, each, value)
        assert (await browser.call("GET", "/v1/whoami")).status == 401
        # Clocks may differ a little.
        browser.provider.claims = {"iat": time.time() + 30, "exp": time.time() + 90}
        assert (await browser.sign_in()).status == 303


async def test_new_keys_are_fetched_but_not_for_every_unknown_one() -> None:
    now = 0.0
    async with fake_provider() as fake, aiohttp.ClientSession() as http:
        config = OidcConfig(issuer=fake.url, client_id=CLIENT, allowed_domains=("*",))
        provider = Provider(config, SECRET, lambda: now)

        async def signs_in() -> bool:
            attempt, redirect = SignInAttempt.begin(), "http://127.0.0.1/back"
            url = await provider.authorization_url(attempt, redirect)
            async with http.get(url, allow_redirects=False) as response:
                code = URL(response.headers["Location"]).query["code"]
            return (await provider.claims(code, attempt, redirect))["sub"] == "1"

        assert await signs_in()
        fake.key_id = fake.published_id = "second"
        with pytest.raises(InvalidSignIn) as refused:
            await signs_in()
        assert refused.value.param == "kid"
        now = 11.0
        assert await signs_in()
        await provider.close()


async def test_a_browser_ends_its_own_sign_in_alone_and_once(tmp_path: Path) -> None:
    async with peopled(tmp_path) as browser:
        back = await browser.returned()
        other = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookie_jar=other) as http:
            stranger = Browser(browser.serve, browser.provider, http, tmp_path)
            for address in (back, f"{browser.serve.url}/sign-in/callback"):
                refused = await stranger.call("GET", address)
                assert (refused.status, refused.error["param"]) == (400, "state")
            await stranger.returned()
            refused = await stranger.call("GET", back)
            assert (refused.status, refused.error["param"]) == (400, "state")
            assert (await stranger.call("GET", "/v1/whoami")).status == 401
        assert (await browser.call("GET", back)).status == 303
        assert (await browser.call("GET", back)).error["param"] == "state"
        denied = f"{back.partition('?')[0]}?error=access_denied&state=x"
        assert (await browser.call("GET", denied)).error["param"] == "state"


async def test_a_code_of_another_browser_is_of_no_use(tmp_path: Path) -> None:
    """The provider refuses it, since the verifier is another one."""
    async with peopled(tmp_path) as browser:
        stolen = URL(await browser.returned()).query["code"]
        own = URL(await browser.returned())
        refused = await browser.call("GET", str(own.update_query(code=stolen)))
        assert (refused.status, refused.error["param"]) == (400, "code")
        assert "invalid_grant" in refused.error["message"]


WRONG_DOCUMENTS: dict[str, tuple[dict[str, Any], str]] = {
    "another issuer": ({"issuer": "https://evil.example"}, "issuer"),
    "no token endpoint": ({"token_endpoint": None}, "token_endpoint"),
    "no keys": ({"jwks_uri": None}, "jwks_uri"),
    "plain HTTP": ({"authorization_endpoint": "http://id.example/a"}, "authorization_endpoint"),
}


async def test_a_provider_that_is_unusable_is_named_until_it_is_usable(tmp_path: Path) -> None:
    async with peopled(tmp_path, document={"issuer": "https://evil.example"}) as browser:
        await browser.serve.wait_said("until then sign-in is not possible")
        for name, (document, param) in WRONG_DOCUMENTS.items():
            browser.provider.document = document
            refused = await browser.call("GET", "/sign-in")
            assert (refused.status, refused.error["code"]) == (502, "provider_unusable"), name
            assert refused.error["param"] == param, name
        page = await browser.call("GET", "/sign-in", headers={"Accept": "text/html"})
        assert (page.status, page.headers["Content-Type"][:9]) == (502, "text/html")
        assert b"<h1>Sign-in failed</h1>" in page.body
        browser.provider.document = {}
        assert (await browser.sign_in()).status == 303


async def test_a_provider_that_does_not_answer_is_named(tmp_path: Path) -> None:
    config = (
        '[oidc]\nissuer = "http://127.0.0.1:1"\nclient_id = "cato"\nallowed_groups = ["staff"]\n'
    )
    async with (
        fake_vllm() as fake,
        serving(tmp_path, config=config, replicas=(fake.url,)) as serve,
        aiohttp.ClientSession() as http,
    ):
        await serve.wait_said("does not answer")
        async with http.get(f"{serve.url}/sign-in") as response:
            assert response.status == 502
            assert (await response.json())["error"]["code"] == "provider_unavailable"

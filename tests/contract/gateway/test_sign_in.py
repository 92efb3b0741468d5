"""Sign-in by a provider: who may come, and what a session may do."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from cato_backend.team.identities import Identity, link
from cato_backend.team.records import Person, Role, Team
from cato_backend.team.store import TeamStore
from tests.contract.gateway.browsers import ADA, EXAMPLE, Browser, peopled
from tests.contract.gateway.certificate import self_signed
from tests.contract.gateway.provider import FakeProvider
from tests.contract.gateway.serving import refusal, serving
from tests.fakes import fake_vllm


async def test_the_first_sign_in_makes_the_person_and_a_session(tmp_path: Path) -> None:
    async with peopled(tmp_path) as browser:
        assert (await browser.call("GET", "/v1/whoami")).status == 401
        done = await browser.sign_in()
        assert (done.status, done.headers["Location"]) == (303, "/")
        session, forgotten = (str(value) for value in done.headers.getall("Set-Cookie"))
        assert {"HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"} <= set(
            session.split("; ")
        )
        assert "Secure" not in session
        assert "Max-Age=0" in forgotten
        assert await browser.whoami() == ADA
        listed = (await browser.call("GET", "/v1/tokens")).json["data"]
        assert [each["name"][:5] for each in listed] == ["page "]
        secret = session.partition("=")[2].partition(";")[0]
        assert secret not in browser.serve.said + str(browser.audit)
        assert [each["event"] for each in browser.audit] == [
            "team created", "person created", "person linked", "signed in",
        ]  # fmt: skip
        # A second time, under another address, they are the same person.
        browser.provider.claims["email"] = "ada.l@example.com"
        await browser.sign_in()
        assert await browser.whoami() == ADA


async def watched(body: aiohttp.StreamReader, events: int) -> list[bytes]:
    """The next lines of a stream of the overview that tell something."""
    lines: list[bytes] = []
    while len(lines) < events and not body.at_eof():
        line = (await body.readline()).strip()
        if line:
            lines.append(line)
    return lines


async def test_a_session_watches_the_overview_until_it_signs_out(tmp_path: Path) -> None:
    async with peopled(tmp_path) as browser:
        assert "replicas" not in (await browser.call("GET", "/health")).json
        await browser.sign_in()
        assert "replicas" in (await browser.call("GET", "/health")).json
        url, own = URL(browser.serve.url), browser.from_own_page
        query = {"stream": "true"}
        async with (
            asyncio.timeout(30.0),
            browser.http.get(url / "v1/overview", params=query) as stream,
        ):
            assert stream.status == 200
            lines = await watched(stream.content, events=3)
            assert all(line.startswith(b'data: {"object":"overview"') for line in lines), lines
            await browser.call("POST", "/v1/sign-out", headers=own)
            rest = await stream.content.read()
        assert b"token_revoked" in rest


async def test_a_session_watches_the_overview_and_knows_what_a_token_knows(tmp_path: Path) -> None:
    """The page has no token that it could send: its cookie counts wherever a token does."""
    async with peopled(tmp_path) as browser:
        await browser.sign_in()
        async with browser.http.get(
            f"{browser.serve.url}/v1/overview", params={"stream": "true"}
        ) as stream:
            events = [await stream.content.readuntil(b"\n\n") for _ in range(2)]
            assert all(b'"object":"overview"' in event for event in events)
            own = browser.from_own_page
            assert (await browser.call("POST", "/v1/sign-out", headers=own)).status == 204
            assert b"token_revoked" in await stream.content.read()
        await browser.sign_in()
        assert "replicas" in (await browser.call("GET", "/health")).json


async def test_a_session_changes_something_from_its_own_page_alone(tmp_path: Path) -> None:
    async with peopled(tmp_path) as browser:
        await browser.sign_in()
        body, url = {"name": "laptop"}, URL(browser.serve.url)
        for origin in (None, "null", "https://evil.example", str(url.with_port(1))):
            headers = {} if origin is None else {"Origin": origin}
            refused = await browser.call("POST", "/v1/tokens", json=body, headers=headers)
            assert refused.status == 403, origin
            assert refused.error["code"] == "forbidden_origin"
        own = browser.from_own_page
        assert (await browser.call("POST", "/v1/tokens", json=body, headers=own)).status == 201
        ended = await browser.call("POST", "/v1/sign-out", headers=own)
        assert ended.status == 204
        assert (await browser.call("GET", "/v1/whoami")).status == 401


async def test_with_tls_only_this_host_can_set_the_cookies_and_only_tls_sends_them(
    tmp_path: Path,
) -> None:
    certificate, key = self_signed(tmp_path)
    arguments = ("--tls-cert", str(certificate), "--tls-key", str(key))
    async with peopled(tmp_path, arguments=arguments) as browser:
        assert browser.serve.url.startswith("https://")
        began = await browser.call("GET", "/sign-in")
        asked = URL(began.headers["Location"]).query
        assert asked["redirect_uri"] == f"{browser.serve.url}/sign-in/callback"
        done = await browser.sign_in()
        for cookie in (began.headers["Set-Cookie"], *done.headers.getall("Set-Cookie")):
            assert cookie.startswith("__Host-cato-")
            assert {"Secure", "HttpOnly", "Path=/"} <= set(cookie.split("; "))
            assert "Domain" not in cookie
        assert await browser.whoami() == ADA


RULES = """
allowed_groups = ["staff"]
groups_claim = "realm.groups"
teams = { compilers = "compilers", staff = "others" }
roles = { heads = "lead" }
"""


async def test_groups_decide_admission_and_role(tmp_path: Path) -> None:
    async with peopled(tmp_path, RULES) as browser:
        refused = await browser.sign_in()
        assert (refused.status, refused.error["code"]) == (403, "sign_in_refused")
        assert refused.error["param"] == "oidc.allowed_groups"
        # Told by the endpoint for it, as many providers do.
        browser.provider.userinfo = {"realm": {"groups": ["staff", "compilers", "heads"]}}
        await browser.sign_in()
        assert await browser.whoami() == {**ADA, "team": "compilers", "role": "lead"}
        browser.provider.userinfo = {"realm": {"groups": ["staff"]}}
        await browser.sign_in()
        assert await browser.whoami() == {**ADA, "team": "others", "role": "user"}
        browser.provider.userinfo = {"sub": "somebody else"}
        assert (await browser.sign_in()).error["code"] == "provider_unusable"


async def test_an_address_that_is_not_verified_opens_nothing(tmp_path: Path) -> None:
    async with peopled(tmp_path) as browser:
        for verified in (False, None, "false"):
            browser.provider.claims = {"email_verified": verified}
            refused = await browser.sign_in()
            assert (refused.status, refused.error["code"]) == (403, "sign_in_refused"), verified


async def test_a_verified_flag_counts_only_with_its_own_address(tmp_path: Path) -> None:
    async with peopled(tmp_path) as browser:
        browser.provider.claims = {"email_verified": None}
        for told in ({}, {"email": "eve@example.com"}):
            browser.provider.userinfo = {**told, "email_verified": True}
            refused = await browser.sign_in()
            assert (refused.status, refused.error["code"]) == (403, "sign_in_refused"), told
        browser.provider.userinfo = {"email": "ada@example.com", "email_verified": True}
        assert (await browser.sign_in()).status == 303


@pytest.mark.parametrize("allowed", [False, True])
async def test_an_existing_person_is_linked_where_that_is_allowed(
    tmp_path: Path, allowed: bool
) -> None:
    store = TeamStore(tmp_path / "people.sqlite3")
    store.create_team(Team("web"))
    store.create_person(Person("ada@example.com", "web", Role.LEAD))
    store.close()
    more = EXAMPLE + f"link_by_email = {str(allowed).lower()}\n"
    async with peopled(tmp_path, more) as browser:
        done = await browser.sign_in()
        if not allowed:
            assert (done.status, done.error["param"]) == (403, "oidc.link_by_email")
            assert "cato person link 'ada@example.com' --subject '1'" in done.error["message"]
            store = TeamStore(tmp_path / "people.sqlite3")
            link(store, Identity.of(f"{browser.provider.url}/", "1"), "ada@example.com")
            store.close()
            await browser.sign_in()
            assert (await browser.whoami())["role"] == "lead"
            return
        assert await browser.whoami() == {**ADA, "team": "web", "role": "lead"}
        # Somebody else who gets the address later is not them.
        browser.provider.claims = {"sub": "2"}
        assert (await browser.sign_in()).error["param"] == "oidc.link_by_email"


async def test_a_server_without_a_provider_takes_tokens_alone(tmp_path: Path) -> None:
    async with (
        fake_vllm() as fake,
        serving(tmp_path, replicas=(fake.url,)) as serve,
        aiohttp.ClientSession() as http,
    ):
        browser = Browser(serve, FakeProvider(), http, tmp_path)
        assert (await browser.call("GET", "/v1/sign-in")).json == {"page": None, "device": None}
        for method, path in (("GET", "/sign-in"), ("POST", "/v1/device/code")):
            answer = await browser.call(method, path)
            assert (answer.status, answer.error["code"]) == (404, "not_found")


REFUSED_STARTS = {
    'issuer = "http://id.example.com"\n': "oidc.issuer",
    'issuer = "https://id.example.com"\n': "client_id",
    'issuer = "https://id.example.com"\nclient_id = "cato"\n': "allowed_domains",
    'issuer = "https://id.example.com"\nclient_id = "c"\nallowed_domains = ["*"]\n'
    'client_secret_file = "nowhere"\n': "oidc.client_secret_file",
}


@pytest.mark.parametrize("config", REFUSED_STARTS)
async def test_a_configuration_that_cannot_work_is_refused(tmp_path: Path, config: str) -> None:
    file = tmp_path / "cato.toml"
    file.write_text("[oidc]\n" + config)
    said = await refusal(tmp_path, "--config", str(file), "--model", "embedded", "--port", "0")
    assert REFUSED_STARTS[config] in said

"""A full sign-in against a real provider, in a real browser; and that of a terminal."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import urllib.error
import urllib.request
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page, expect

from tests.e2e.availability import had_or_skipped
from tests.e2e.backend import Backend, free_port, serve
from tests.e2e.page.axe import violations
from tests.e2e.page.provider import CLIENT, SECRET, ensure_provider, provider
from tests.e2e.terminal import ARTIFACTS
from tests.secret_files import secret_file

pytestmark = pytest.mark.asyncio(loop_scope="package")

CONFIG = """
[oidc]
issuer = "{issuer}"
client_id = "{client}"
client_secret_file = "{secret}"
scopes = ["openid", "email", "groups"]
allowed_domains = ["example.com"]
teams = {{ compilers = "compilers" }}
roles = {{ cato-admins = "admin" }}
"""


@dataclass(frozen=True, slots=True)
class Peopled:
    """A server to which people sign in."""

    backend: Backend
    issuer: str
    folder: Path

    def audited(self) -> str:
        """What the audit log says."""
        return (self.folder / "backend-state/team/team.audit.jsonl").read_text()


@pytest.fixture(scope="module")
def peopled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peopled]:
    packages = had_or_skipped(ensure_provider, "NO PROVIDER, sign-in is not tested end to end")
    folder, port = tmp_path_factory.mktemp("sign-in"), free_port()
    secret = secret_file(folder / "client-secret", SECRET)
    with provider(packages, f"http://127.0.0.1:{port}/sign-in/callback") as issuer:
        config = CONFIG.format(issuer=issuer, client=CLIENT, secret=secret)
        with serve(folder, "", port=port, more=config) as backend:
            yield Peopled(backend, issuer, folder)


@pytest_asyncio.fixture(loop_scope="package")
async def page(browser: BrowserContext, peopled: Peopled) -> AsyncIterator[Page]:
    """A tab of a browser in which nobody has signed in."""
    await browser.clear_cookies()
    page = await browser.new_page()
    yield page
    await page.close()
    await browser.clear_cookies()


async def sign_in(page: Page, login: str) -> None:
    """From the page of CATO, by the pages of the provider."""
    await page.get_by_role("link", name="Sign in with").click()
    await page.get_by_placeholder("Enter any login").fill(login)
    await page.get_by_placeholder("and password").fill("anything")
    await page.get_by_role("button", name="Sign-in").click()
    await page.get_by_role("button", name="Continue").click()


async def test_a_person_signs_in_and_out(page: Page, peopled: Peopled, axe: str) -> None:
    await page.goto(peopled.backend.url)
    await expect(page.get_by_role("link", name="Sign in with")).to_be_visible()
    assert await violations(page, axe) == []
    await page.screenshot(path=ARTIFACTS / "page-sign-in.png", full_page=True)
    await sign_in(page, "ada")
    await expect(page.locator("#status")).to_have_text("ok")
    await page.get_by_role("link", name="Tokens").click()
    await expect(
        page.get_by_text("You are ada@example.com of compilers, role admin.")
    ).to_be_visible()
    # No script of the page can read the session.
    assert await page.evaluate("document.cookie") == ""
    (cookie,) = [each for each in await page.context.cookies() if each["name"].startswith("cato")]
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    await page.get_by_label("Name").fill("workstation")
    await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_text("workstation")).to_be_visible()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("link", name="Sign in with")).to_be_visible()
    assert whoami(peopled.backend, cookie["value"]) == 401
    assert cookie["value"] not in peopled.audited()
    assert "signed out" in peopled.audited()


async def test_who_may_not_sign_in_is_told_why(page: Page, peopled: Peopled) -> None:
    await page.goto(peopled.backend.url)
    await sign_in(page, "unverified")
    await expect(page.get_by_role("heading", name="Sign-in failed")).to_be_visible()
    await expect(
        page.get_by_text("no verified e-mail address of an allowed domain")
    ).to_be_visible()
    await page.get_by_role("link", name="Back").click()
    await expect(page.get_by_role("link", name="Sign in with")).to_be_visible()


async def test_a_terminal_signs_in_by_a_code(page: Page, peopled: Peopled, axe: str) -> None:
    """The code is confirmed by a person who signs in on the way."""
    url, state = peopled.backend.url, peopled.folder / "own-state"
    environment = {**os.environ, "CATO_STATE_DIR": str(state)}
    terminal = await cato("sign-in", "--url", url, environment=environment)
    assert terminal.stdout is not None
    opened = re.fullmatch(r"Open (\S+#device=(\S+))\n", (await terminal.stdout.readline()).decode())
    assert opened is not None
    await page.goto(opened[1])
    await sign_in(page, "bo")
    await expect(page.get_by_label("Code")).to_have_value(opened[2])
    await page.get_by_role("button", name="Continue").click()
    await expect(page.get_by_text("asks to use this server as you")).to_contain_text(opened[2])
    assert await violations(page, axe) == []
    await page.screenshot(path=ARTIFACTS / "page-device.png", full_page=True)
    await page.get_by_role("button", name="Confirm").click()
    await expect(page.get_by_text("Go back to your editor")).to_be_visible()
    said = (await terminal.communicate())[0].decode()
    assert f"Signed in to {url} as bo@example.com" in said
    kept = state / "sign-ins.json"
    (token,) = json.loads(kept.read_text()).values()
    assert (kept.stat().st_mode & 0o777, token in said) == (0o600, False)
    assert whoami(peopled.backend, token) == 200
    assert "device signed in" in peopled.audited()
    ended = await cato("sign-out", "--url", url, environment=environment)
    assert await ended.wait() == 0
    assert whoami(peopled.backend, token) == 401


async def cato(*arguments: str, environment: dict[str, str]) -> Process:
    """A `cato` command in a terminal."""
    command = [sys.executable, "-m", "cato_backend", *arguments]
    return await asyncio.create_subprocess_exec(*command, stdout=PIPE, env=environment)


def whoami(backend: Backend, token: str) -> int:
    """The status of the question whose token this is."""
    headers = {"authorization": f"Bearer {token}"}
    request = urllib.request.Request(f"{backend.url}/v1/whoami", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code

"""A browser, a server that has been busy, and axe."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page, expect

from tests.e2e.availability import had_or_skipped
from tests.e2e.backend import Backend, serve
from tests.e2e.page.axe import ensure_axe
from tests.e2e.vscode.browser import launch_browser
from tests.e2e.vscode.tools import ensure_chromium

TOKEN = "the-token-of-ada"
REPLY = "\n    return a + b\n"


@pytest.fixture(scope="package")
def chromium() -> Path:
    return had_or_skipped(ensure_chromium, "NO CHROMIUM, the page's end-to-end tests do not run")


@pytest.fixture(scope="package")
def axe() -> str:
    """axe's source."""
    return had_or_skipped(ensure_axe, "NO AXE, the accessibility of the page is not checked")


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def browser(
    chromium: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[BrowserContext]:
    profile = tmp_path_factory.mktemp("browser")
    async with launch_browser(chromium, profile, keep_still=False) as launched:
        yield launched


@pytest.fixture(scope="package")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """A server with a token that has answered requests of several classes, some of them late."""
    with serve(tmp_path_factory.mktemp("busy"), REPLY, token=TOKEN) as backend:
        for _ in range(30):
            ask(backend, task="completion")
        for _ in range(3):
            ask(backend, task="generation")
            ask(backend, task="completion", ttft_ms=1)
        ask(backend, task="translation")
        yield backend


class Visit:
    """One tab, and what went wrong in it."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.problems: list[str] = []
        self.requested: list[str] = []
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", self._said)
        page.on("request", lambda request: self.requested.append(request.url))

    def _said(self, message: object) -> None:
        kind, text = getattr(message, "type", ""), getattr(message, "text", "")
        if kind == "error" and "Failed to load resource" not in text:
            self.problems.append(text)

    async def sign_in(self, token: str = TOKEN) -> None:
        await self.page.goto(self.url)
        await self.page.get_by_label("Token", exact=True).fill(token)
        await self.page.get_by_role("button", name="Open").click()

    async def open(self, view: str) -> None:
        await self.page.goto(f"{self.url}/#{view}")
        await expect(self.page.locator("#tabs a[aria-current]")).to_have_text(view.capitalize())


@pytest_asyncio.fixture(loop_scope="package")
async def visit(browser: BrowserContext, busy: Backend) -> AsyncIterator[Visit]:
    """A fresh tab, in which nobody has signed in. Nothing in it may break the policy or fail."""
    page = await browser.new_page()
    visit = Visit(page, busy.url)
    yield visit
    await page.evaluate("localStorage.clear()")
    await page.close()
    assert visit.problems == []


def ask(backend: Backend, *, task: str, ttft_ms: int | None = None) -> None:
    """Send one request and wait for its answer."""
    headers = {
        "content-type": "application/json",
        "authorization": f"Bearer {backend.token}",
        "x-cato-task": task,
        **({"x-slo-ttft-ms": str(ttft_ms)} if ttft_ms else {}),
    }
    body = json.dumps({"prompt": "def add(a, b):", "max_tokens": 16, "stream": True}).encode()
    request = urllib.request.Request(f"{backend.url}/v1/completions", body, headers)
    with suppress(urllib.error.HTTPError), urllib.request.urlopen(request, timeout=20) as answer:
        answer.read()

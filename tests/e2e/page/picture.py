"""The page's picture for the README: `Now`, after a minute and a half of traffic."""

from __future__ import annotations

import asyncio
import random
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.e2e.backend import Backend, serve
from tests.e2e.page.conftest import REPLY, TOKEN, Visit, ask
from tests.e2e.vscode.browser import launch_browser
from tests.e2e.vscode.tools import ensure_chromium

TRAFFIC_S = 90
SLOW_S = range(55, 60)
"""Seconds in which the replica is slow, so that something is late."""
TASKS = ("completion",) * 12 + ("generation",) * 3 + ("summarization",) * 2 + ("translation",)
SIZE = {"width": 1200, "height": 820}


async def take(path: Path) -> None:
    """Write the picture."""
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(Path(folder), REPLY, token=TOKEN) as backend,
    ):
        await _traffic(backend)
        profile = Path(folder) / "browser"
        async with launch_browser(ensure_chromium(), profile, keep_still=False) as browser:
            page = await browser.new_page()
            await page.set_viewport_size(SIZE)
            await Visit(page, backend.url).sign_in()
            await page.wait_for_selector(".tile")
            await page.screenshot(path=path)


async def _traffic(backend: Backend) -> None:
    chance, loop = random.Random(1), asyncio.get_running_loop()
    with ThreadPoolExecutor(16) as people:
        for second in range(TRAFFIC_S):
            backend.replica.change(ttft_ms=400 if second in SLOW_S else chance.randint(20, 60))
            for _ in range(chance.randint(2, 9)):
                people.submit(ask, backend, task=chance.choice(TASKS))
            await asyncio.sleep(1)
        await loop.run_in_executor(None, people.shutdown)

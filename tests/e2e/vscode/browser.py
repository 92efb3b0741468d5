"""Chromium, headless, that reaches nothing but this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import BrowserContext, async_playwright

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)

# Every frame is drawn by the processor: what only moves would take more of it than VS Code does.
KEEP_STILL = """addEventListener('DOMContentLoaded', () => {
    const style = document.createElement('style');
    const nothing = 'animation: none !important; transition: none !important';
    style.textContent = `*, ::before, ::after { ${nothing} }`;
    document.head.append(style);
})"""


@asynccontextmanager
async def launch_browser(
    chromium: Path, profile: Path, *, keep_still: bool = True
) -> AsyncIterator[BrowserContext]:
    """A browser that ends with the block. It keeps in `profile` what it has fetched and compiled:
    for VS Code that is most of a window's start. `keep_still`: nothing moves, by a style of its
    own, which a strict policy of a page would forbid."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch_persistent_context(
            profile,
            executable_path=chromium,
            headless=True,
            args=ARGUMENTS,
            viewport={"width": 1280, "height": 800},
            permissions=["clipboard-read", "clipboard-write"],
            reduced_motion="reduce",
        )
        if keep_still:
            await browser.add_init_script(KEEP_STILL)
        try:
            yield browser
        finally:
            await browser.close()


async def forget(browser: BrowserContext, origin: str) -> None:
    """Makes the browser one that was never there, but for what it has cached."""
    session = await browser.new_cdp_session(browser.pages[0])
    kinds = {"origin": origin, "storageTypes": "cookies,local_storage,indexeddb"}
    await session.send("Storage.clearDataForOrigin", kinds)
    await session.detach()

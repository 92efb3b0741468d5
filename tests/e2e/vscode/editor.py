"""One editor window, driven as a person drives it: keys, palette, and what is on the screen."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

from playwright.async_api import BrowserContext, FrameLocator, Locator, Page, expect
from playwright.async_api import TimeoutError as PlaywrightTimeoutError

ARTIFACTS = Path(__file__).parents[2] / "artifacts"
KEY_DELAY_MS = 30
LOOK_MS = 50
LOAD_TIMEOUT_MS = 60_000
TIMEOUT_MS = 60_000
FOLDERS_MS = 20_000
LOADS = 4
EXPLORER_ROW = ".explorer-folders-view .monaco-list-row"

# Playwright counts ghost text of several lines as hidden, so it is read from the document itself.
# What was suggested for an earlier key may stand there for a moment: it counts once it stays.
# Beside the menu of words it is called a preview.
GHOST = ".ghost-text, .ghost-text-decoration, .ghost-text-decoration-preview"
GHOST_TEXT = """(ghost) => {
    const place = (element) => element.getBoundingClientRect();
    const text = [...document.querySelectorAll(ghost)]
        .sort((a, b) => place(a).top - place(b).top || place(a).left - place(b).left)
        .map((element) => element.textContent).join('');
    if (window.lastGhostText !== text) {
        window.lastGhostText = text;
        window.lastGhostTextSince = performance.now();
    }
    const stays = performance.now() - window.lastGhostTextSince > 400;
    return stays && text.replaceAll('\\u00a0', ' ');
}"""


class Editor:
    """A window on one folder. Every `wait_` raises Playwright's TimeoutError with what it saw."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def status(self, words: str = "") -> Locator:
        """The status item of the extension, if it says `words` (to a screen reader)."""
        return self.page.get_by_role("button", name=f"CATO: {words}")

    async def wait_status(self, words: str, timeout_ms: int = TIMEOUT_MS) -> None:
        """Waits until the status item says `words`."""
        await expect(self.status(words)).to_be_visible(timeout=timeout_ms)

    async def open(self, name: str) -> None:
        """Opens a file of the folder and puts the cursor at its end."""
        row = self.page.locator(EXPLORER_ROW, has_text=name)
        await row.dblclick(timeout=LOAD_TIMEOUT_MS)
        await self._to_end(name)

    async def find(self, name: str) -> None:
        """As `open`, of any folder of the workspace."""
        await self._search(name)
        await self._to_end(name)

    async def open_cell(self, name: str) -> None:
        """Opens a notebook and puts the cursor into its first cell."""
        await self._search(name)
        await self.page.locator(".notebookOverlay .cell .view-lines").first.click()

    async def _search(self, name: str) -> None:
        await self.press("Control+p")
        box = self.page.locator(".quick-input-widget input")
        await box.fill(name, timeout=LOAD_TIMEOUT_MS)
        await self._enter(name)

    async def _to_end(self, name: str) -> None:
        await self.text_of(name).click(timeout=TIMEOUT_MS)
        await self.page.keyboard.press("Control+End")

    def text_of(self, name: str) -> Locator:
        """The visible lines of the editor whose file name ends in `name`."""
        return self.page.locator(f".monaco-editor[data-uri$='{quote(name)}'] .view-lines")

    async def type(self, text: str) -> None:
        """Types at a person's speed."""
        await self.page.keyboard.type(text, delay=KEY_DELAY_MS)

    async def press(self, key: str) -> None:
        """Presses a key or a chord: `Tab`, `Control+s`."""
        await self.page.keyboard.press(key)

    async def wait_ghost_text(self, timeout_ms: int = TIMEOUT_MS) -> str:
        """The suggestion that is shown, once there is one that stays."""
        shown = await self.page.wait_for_function(
            GHOST_TEXT, arg=GHOST, timeout=timeout_ms, polling=LOOK_MS
        )
        return str(await shown.json_value())

    async def wait_no_ghost_text(self) -> None:
        """Until nothing is suggested."""
        await expect(self.page.locator(GHOST)).to_have_count(0, timeout=TIMEOUT_MS)

    async def wait_menu(self) -> None:
        """Until the menu of words is open."""
        rows = self.page.locator(".suggest-widget.visible .monaco-list-row.focused")
        await expect(rows.first).to_be_visible(timeout=TIMEOUT_MS)

    def menu_title(self) -> Locator:
        """The line above the list that is open."""
        return self.page.locator(".quick-input-title")

    async def clipboard(self) -> str:
        """What was copied last."""
        return str(await self.page.evaluate("navigator.clipboard.readText()"))

    async def keep(self, name: str) -> None:
        """Keeps the screen for people to look at."""
        ARTIFACTS.mkdir(exist_ok=True)
        path = ARTIFACTS / f"vscode-{name}.png"
        await self.page.screenshot(path=path, animations="disabled")

    async def run(self, label: str) -> None:
        """Runs a command from the palette, by the words that a person sees there."""
        await self.press("F1")
        box = self.page.locator(".quick-input-widget input")
        await expect(box).to_have_value(">", timeout=TIMEOUT_MS)
        await box.fill(f">{label}")
        await self._enter(label)

    async def choose(self, prompt: str, label: str) -> None:
        """Picks an entry of the list that is open and whose placeholder has `prompt` in it."""
        await self._box(prompt).fill(label, timeout=TIMEOUT_MS)
        await self._enter(label)

    async def answer(self, prompt: str, text: str) -> None:
        """Replaces what stands in the input box that has `prompt` in it, and enters it."""
        await self._box(prompt).fill(text, timeout=TIMEOUT_MS)
        await self.press("Enter")
        await expect(self._box(prompt)).to_be_hidden(timeout=TIMEOUT_MS)

    def _box(self, prompt: str) -> Locator:
        box = self.page.locator(".quick-input-widget input")
        return box.and_(self.page.get_by_placeholder(prompt))

    async def _enter(self, label: str) -> None:
        row = self.page.locator(".quick-input-list .monaco-list-row.focused", has_text=label)
        await row.wait_for(timeout=TIMEOUT_MS)
        await self.press("Enter")

    def tabs(self) -> Locator:
        """The tabs of all open documents."""
        return self.page.locator(".tabs-container .tab")

    async def wait_tab(self, title: str) -> None:
        """Waits for a document whose tab says `title`, in capitals or not."""
        tab = self.tabs().filter(has_text=re.compile(title, re.IGNORECASE))
        await expect(tab.first).to_be_visible(timeout=TIMEOUT_MS)

    def text_beside(self) -> Locator:
        """The visible lines of the document that was opened beside the first."""
        return self.page.locator(".editor-group-container").last.locator(".view-lines")

    def rendered(self) -> FrameLocator:
        """The page that is shown beside the code."""
        return self.page.frame_locator("iframe.webview.ready").frame_locator("#active-frame")

    async def agree(self, button: str) -> None:
        """Presses a button of a message that popped up."""
        toast = self.page.locator(".notifications-toasts")
        await toast.get_by_role("button", name=button).first.click(timeout=TIMEOUT_MS)

    def notifications(self) -> Locator:
        """Messages that popped up."""
        return self.page.locator(".notifications-toasts .notification-list-item-message")


@asynccontextmanager
async def open_editor(
    browser: BrowserContext, url: str, place: Path, name: str
) -> AsyncIterator[Editor]:
    """A fresh window on a folder or a workspace. If the block fails, its screen is kept."""
    kind = "workspace" if place.suffix == ".code-workspace" else "folder"
    page = await browser.new_page()
    try:
        await page.goto(f"{url}/?{kind}={quote(str(place))}", wait_until="commit")
        await page.wait_for_selector(".monaco-workbench", timeout=LOAD_TIMEOUT_MS)
        if kind == "workspace":
            await _wait_for_folders(page)
        try:
            yield Editor(page)
        except BaseException:
            await Editor(page).keep(f"failed-{name}")
            raise
    finally:
        await page.close()


async def _wait_for_folders(page: Page) -> None:
    """Until the explorer lists the workspace's folders.

    On a busy machine code-server's window may read its workspace file before it is connected: it
    then has no folders, for good, until it is loaded once more.
    """
    for attempt in range(1, LOADS + 1):
        try:
            await page.wait_for_selector(EXPLORER_ROW, timeout=FOLDERS_MS)
            return
        except PlaywrightTimeoutError:
            await Editor(page).keep(f"without-folders-{attempt}")
            if attempt == LOADS:
                raise
        await page.reload(wait_until="commit")
        await page.wait_for_selector(".monaco-workbench", timeout=LOAD_TIMEOUT_MS)

"""Signing in to a team's server from VS Code: a code, and a token for this server alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.e2e.signing_in import confirm, signing_in
from tests.e2e.vscode.conftest import REPLY, TYPED, Configure, OpenEditor

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.timeout(180)]


async def test_a_person_signs_in_and_the_token_is_for_this_server_alone(
    window: OpenEditor, configure: Configure, tmp_path: Path
) -> None:
    with signing_in(tmp_path / "team", REPLY) as backend:
        configure(**{"backend.url": backend.url})
        async with window() as editor:
            await editor.wait_status("the backend refused the token")
            await editor.agree("Sign In")
            dialog = editor.page.get_by_role("dialog")
            await expect(dialog).to_contain_text(f"Confirm it at {backend.url}/#device")
            code = re.search(r"[A-Z]{4}-[A-Z]{4}", await dialog.inner_text())
            assert code is not None
            async with editor.page.context.expect_page() as opened:
                await dialog.get_by_role("button", name="Open the Page").click()
            page = await opened.value
            # An editor in a browser reaches its own machine by a path.
            await expect(page).to_have_url(re.compile(f"{backend.url[-5:]}/#device={code[0]}$"))
            await page.close()
            confirm(backend, code[0])
            await editor.wait_status("ready")
            await editor.open("sums.py")
            await editor.type(TYPED)
            assert await editor.wait_ghost_text()
            await editor.keep("signed-in")
            # The same server under another address gets no token.
            configure(**{"backend.url": backend.url.replace("127.0.0.1", "localhost")})
            await editor.wait_status("the backend refused the token")
            configure(**{"backend.url": backend.url})
            await editor.wait_status("ready")

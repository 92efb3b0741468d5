"""The view of tokens, against answers as `/v1/tokens` and `/v1/whoami` give them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.async_api import Dialog, Route, expect

from tests.e2e.page.axe import violations
from tests.e2e.page.conftest import Visit
from tests.e2e.terminal import ARTIFACTS

pytestmark = pytest.mark.asyncio(loop_scope="package")

SECRET = "cato-secret-of-the-new-token"
ODD = "<b onclick=alert(1)>laptop</b>"


class Tokens:
    """Answers in the place of the server."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.tokens = [entry("t1", ODD)]

    async def answer(self, route: Route) -> None:
        request = route.request
        self.asked.append((request.method, request.url, request.post_data_json))
        if request.url.endswith("/whoami"):
            value: Any = {"person": "ada", "team": "compilers", "role": "lead"}
        elif request.method == "POST":
            self.tokens.append(entry("t2", request.post_data_json["name"]))
            value = {**self.tokens[-1], "token": SECRET}
        elif request.method == "DELETE" and request.url.endswith("/people/ada/tokens"):
            self.tokens = [{**each, "revoked": "2026-11-30T12:00:00Z"} for each in self.tokens]
            value = {"object": "list", "data": self.tokens}
        elif request.method == "DELETE":
            value = self.tokens[0] = {**self.tokens[0], "revoked": "2026-11-30T12:00:00Z"}
        else:
            value = {"object": "list", "data": self.tokens}
        await route.fulfill(body=json.dumps(value), content_type="application/json")


def entry(token_id: str, name: str) -> dict[str, Any]:
    return {
        "id": token_id, "name": name, "person": "ada", "team": "compilers", "role": "lead",
        "starts": "cato-1a2b", "created": "2026-11-01T08:00:00Z", "expires": None,
        "revoked": None, "last_used": "2026-11-30T09:30:00Z",
    }  # fmt: skip


async def test_tokens_are_made_shown_once_and_revoked(visit: Visit, axe: str) -> None:
    page, tokens = visit.page, Tokens()
    dialogs: list[Dialog] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog))
    for path in ("**/v1/whoami", "**/v1/tokens", "**/v1/tokens/*"):
        await page.route(path, tokens.answer)
    await visit.sign_in()
    await visit.open("tokens")
    await page.get_by_label("Name").fill("workstation")
    await page.get_by_label("Expires after").fill("2027-06-30")
    await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_text(SECRET)).to_be_visible()
    await expect(page.get_by_text("workstation")).to_be_visible()
    await page.screenshot(path=ARTIFACTS / "page-tokens-light.png", full_page=True)
    assert await violations(page, axe) == []
    (made,) = [body for method, _, body in tokens.asked if method == "POST"]
    assert (made["name"], made["expires"][:7]) == ("workstation", "2027-06")
    await page.get_by_role("button", name=f"Revoke: {ODD}").click()
    assert not [method for method, _, _ in tokens.asked if method == "DELETE"]
    await page.get_by_role("button", name="Really revoke").click()
    await expect(page.get_by_text("revoked", exact=True)).to_be_visible()
    assert [url[-3:] for method, url, _ in tokens.asked if method == "DELETE"] == ["/t1"]
    await page.reload()
    await expect(page.get_by_text("workstation")).to_be_visible()
    await expect(page.get_by_text(SECRET)).to_have_count(0)
    assert dialogs == []


async def test_all_tokens_of_a_person_are_revoked_at_once(visit: Visit, axe: str) -> None:
    page, tokens = visit.page, Tokens()
    tokens.tokens.append(entry("t2", "desktop"))
    for path in ("**/v1/whoami", "**/v1/tokens", "**/v1/people/*/tokens"):
        await page.route(path, tokens.answer)
    await visit.sign_in()
    await visit.open("tokens")
    await page.get_by_role("button", name="Revoke all 2 of ada").click()
    assert not [method for method, _, _ in tokens.asked if method == "DELETE"]
    assert await violations(page, axe) == []
    await page.get_by_role("button", name="Really revoke all 2 of ada").click()
    await expect(page.get_by_text("revoked", exact=True)).to_have_count(2)
    await expect(page.get_by_role("button", name="Revoke")).to_have_count(0)


async def test_a_server_without_people_shows_no_tab(visit: Visit) -> None:
    async def unknown(route: Route) -> None:
        error = {"message": "no such path", "type": "x", "param": None, "code": "not_found"}
        await route.fulfill(status=404, json={"error": error})

    await visit.page.route("**/v1/whoami", unknown)
    await visit.sign_in()
    await expect(visit.page.locator("#tabs a")).to_have_count(6)
    await expect(visit.page.get_by_role("link", name="Tokens")).to_have_count(0)

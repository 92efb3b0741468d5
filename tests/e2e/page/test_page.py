"""The page at `/`, in a real browser."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Awaitable
from typing import Any

import pytest
from playwright.async_api import Route, expect

from tests.e2e.backend import Backend
from tests.e2e.page.axe import violations
from tests.e2e.page.conftest import TOKEN, Visit, ask
from tests.e2e.terminal import ARTIFACTS

pytestmark = pytest.mark.asyncio(loop_scope="package")

VIEWS = ("now", "models", "events", "usage", "capacity", "connect")
PHONE = {"width": 390, "height": 844}
FIRST_LOAD_BYTES = 100_000


async def test_it_asks_for_a_token_and_shows_what_happened(visit: Visit) -> None:
    await visit.sign_in("not-a-token")
    await expect(visit.page.get_by_role("alert")).to_contain_text("does not know this token")
    await visit.sign_in()
    await expect(visit.page.locator("#status")).to_have_text("ok")
    completion = visit.page.locator("section.card", has=visit.page.get_by_text("completion"))
    # A client that is gone before the last bytes of its answer are counted is not among them.
    await expect(completion.first).to_contain_text(re.compile(r"(2[5-9]|30) of (29|3[0-3])"))
    await expect(visit.page.get_by_text(re.compile("the target is 1 ms")).first).to_be_visible()
    assert not [url for url in visit.requested if TOKEN in url]


async def test_figures_are_live_and_those_of_metrics(visit: Visit, busy: Backend) -> None:
    await visit.sign_in()
    tile = visit.page.locator(".tile", has=visit.page.get_by_text("In time"))
    await expect(tile).to_contain_text("of")
    ask(busy, task="completion")
    await expect(tile).to_contain_text(f"of {counted(busy)} in")


def counted(backend: Backend) -> int:
    """Requests that have ended, but for those that their client gave up, as `/metrics` tells."""
    headers = {"authorization": f"Bearer {backend.token}"}
    request = urllib.request.Request(f"{backend.url}/metrics", headers=headers)
    with urllib.request.urlopen(request, timeout=5) as answer:
        text = answer.read().decode()
    found = re.findall(r'^cato_requests_total{outcome="(.*?)",.*} (\S+)$', text, re.M)
    return round(sum(float(value) for outcome, value in found if outcome != "cancelled"))


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("look", ["light", "dark", "phone"])
async def test_every_view_is_accessible_and_fits(
    visit: Visit, axe: str, view: str, look: str
) -> None:
    page = visit.page
    await page.emulate_media(color_scheme="dark" if look == "dark" else "light")
    if look == "phone":
        await page.set_viewport_size(PHONE)
    await visit.sign_in()
    await visit.open(view)
    await expect(page.locator("main")).not_to_contain_text("loading")
    await page.screenshot(path=ARTIFACTS / f"page-{view}-{look}.png", full_page=True)
    assert await violations(page, axe) == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("look", ["light", "dark"])
async def test_the_form_for_the_token_is_accessible(visit: Visit, axe: str, look: str) -> None:
    await visit.page.emulate_media(color_scheme="dark" if look == "dark" else "light")
    await visit.sign_in("not-a-token")
    await expect(visit.page.get_by_role("alert")).to_be_visible()
    await visit.page.screenshot(path=ARTIFACTS / f"page-token-{look}.png")
    assert await violations(visit.page, axe) == []


async def test_the_keyboard_alone_is_enough(visit: Visit) -> None:
    page = visit.page
    await page.goto(visit.url)
    await expect(page.get_by_label("Token", exact=True)).to_be_focused()
    await page.keyboard.type(TOKEN)
    await page.keyboard.press("Enter")
    await expect(page.locator("#status")).to_have_text("ok")
    await page.get_by_role("link", name="Events").press("Enter")
    await expect(page.locator("main")).to_be_focused()
    await expect(page.locator("main")).to_contain_text("static-1: up")


async def test_the_first_load_is_small_and_from_this_server_alone(visit: Visit) -> None:
    sizes: list[Awaitable[bytes]] = []
    visit.page.on("response", lambda r: sizes.append(r.body()) if "/v1/" not in r.url else None)
    await visit.page.goto(visit.url)
    await expect(visit.page.get_by_label("Token", exact=True)).to_be_focused()
    assert 10_000 < sum([len(await size) for size in sizes]) < FIRST_LOAD_BYTES
    assert all(url.startswith(visit.url) for url in visit.requested)


async def test_the_theme_is_kept_and_the_token_forgotten(visit: Visit) -> None:
    page = visit.page
    await visit.sign_in()
    for expected in ("light", "dark"):
        await page.get_by_role("button", name="Theme").click()
        await expect(page.locator("html")).to_have_attribute("data-theme", expected)
    await page.reload()
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    await page.get_by_role("button", name="Forget the token").click()
    await page.reload()
    await expect(page.get_by_label("Token", exact=True)).to_be_visible()


async def test_a_text_of_the_server_is_never_markup(visit: Visit) -> None:
    """A model's name may come from a replica that somebody else runs."""

    async def rename(route: Route) -> None:
        text = await (await route.fetch()).text()
        await route.fulfill(body=text.replace("cato-embedded", "<img src=x onerror=alert(1)>"))

    await visit.page.route("**/v1/models", rename)
    await visit.sign_in()
    await visit.open("models")
    await expect(visit.page.get_by_text("onerror").first).to_be_visible()
    assert await visit.page.locator("main img").count() == 0


async def test_usage_and_its_cost_are_those_of_the_server(visit: Visit, axe: str) -> None:
    """The table has the figures of `/v1/usage`; the sums are of all days."""
    page, is_dear = visit.page, False

    async def answer(route: Route) -> None:
        days = [
            usage_of("2026-11-29", 40, 10, 20, 8.0, 0.02),
            usage_of("2026-11-30", 10, 4, 5, 2.0, 0.005),
        ]
        days += [usage_of("2026-12-01", 10, 4, 5, 2.0, 12345.0)] if is_dear else []
        await route.fulfill(body="".join(f"{json.dumps(day)}\n" for day in days))

    async def refuse(route: Route) -> None:
        error = {"message": "usage of the team: it is not told here", "code": "not_found"}
        await route.fulfill(status=404, json={"error": error})

    await page.route("**/v1/usage", answer)
    await page.route("**/v1/usage/team", refuse)
    await visit.sign_in()
    await visit.open("usage")
    own = page.locator("section.card", has=page.get_by_role("heading", name="Your usage"))
    await expect(own.locator("tbody tr")).to_have_count(2)
    await expect(own.locator("tbody tr").nth(1).locator("td")).to_have_text(
        [
            "2026-11-29",
            "40",
            "10 (25.0%)",
            "20",
            "90.0%",
            "80.0%",
            "8.00 s",
            "0.400 s",
            "0.0200 USD",
            "0.00100 USD",
        ]
    )
    await expect(own.locator("dd")).to_have_text(
        ["25", "10 s", "0.400 s", "0.0250 USD", "0.00100 USD"]
    )
    await expect(page.get_by_text("it is not told here")).to_be_visible()
    await page.screenshot(path=ARTIFACTS / "page-usage-told.png", full_page=True)
    assert await violations(page, axe) == []
    is_dear = True
    await page.reload()
    await expect(own.locator("dd").nth(3)).to_have_text("12,345 USD")


def usage_of(
    day: str, shown: int, accepted: int, lines: int, engine_s: float, cost: float
) -> dict[str, Any]:
    """One day, in the fields of `/v1/usage` that the page shows."""
    return {
        "day": day,
        "code_generation_activity_count": shown,
        "code_acceptance_activity_count": accepted,
        "loc_added_sum": lines,
        "cato": {
            "deadlines_met_share": 0.9, "shown_in_time_share": 0.8,
            "engine_seconds": engine_s, "engine_seconds_per_accepted_line": engine_s / lines,
            "cost": cost, "cost_per_accepted_line": cost / lines, "currency": "USD",
        },
    }  # fmt: skip


async def test_the_page_comes_back_after_a_restart(visit: Visit, busy: Backend) -> None:
    await visit.sign_in()
    await expect(visit.page.locator("#status")).to_have_text("ok")
    busy.stop()
    await expect(visit.page.locator("#status")).to_have_text("no connection")
    busy.start()
    await expect(visit.page.locator("#status")).to_have_text("ok", timeout=20_000)

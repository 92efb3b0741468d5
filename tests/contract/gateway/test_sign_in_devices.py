"""Sign-in of devices, which a person confirms."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.contract.gateway.browsers import ADA, EXAMPLE, peopled
from tests.secret_files import secret_file


async def test_a_device_gets_a_token_of_the_person_who_confirms_it(tmp_path: Path) -> None:
    async with peopled(tmp_path, EXAMPLE + 'roles = { staff = "admin" }\n') as browser:
        browser.provider.claims = {"groups": ["staff"]}
        await browser.sign_in()
        own = browser.from_own_page
        codes = (await browser.call("POST", "/v1/device/code", json={"client": "Vim"})).json
        assert codes["verification_uri"] == f"{browser.serve.url}/#device"
        poll = {"json": {"device_code": codes["device_code"]}}
        waits = await browser.call("POST", "/v1/device/token", **poll)
        assert (waits.status, waits.error["code"]) == (400, "authorization_pending")
        early = await browser.call("POST", "/v1/device/token", **poll)
        assert (early.status, early.error["code"]) == (429, "slow_down")
        assert int(early.headers["Retry-After"]) == codes["interval"]
        typed = codes["user_code"].lower().replace("-", " ")
        shown = await browser.call("GET", f"/v1/sign-in/devices/{typed}")
        assert shown.json == {
            "user_code": codes["user_code"], "client": "Vim", "address": "127.0.0.1",
        }  # fmt: skip
        path = f"/v1/sign-in/devices/{codes['user_code']}"
        assert (await browser.call("POST", path, json={"confirmed": True})).status == 403
        assert (
            await browser.call("POST", path, json={"confirmed": True}, headers=own)
        ).status == 200
        granted = (await browser.call("POST", "/v1/device/token", **poll)).json
        assert granted["expires_in"] == 90 * 86_400
        token = {"Authorization": f"Bearer {granted['access_token']}"}
        who = (await browser.call("GET", "/v1/whoami", headers=token)).json
        # An editor needs no more than a user, whatever the person is.
        assert who == {**ADA, "role": "user"}
        assert (await browser.whoami())["role"] == "admin"
        # Nor does it make anything that outlives it.
        second = (await browser.call("POST", "/v1/device/code", json={})).json["user_code"]
        for at, body in (
            ("/v1/tokens", {"name": "for ever"}),
            (f"/v1/sign-in/devices/{second}", {"confirmed": True}),
        ):
            refused = await browser.call("POST", at, json=body, headers=token)
            assert (refused.status, refused.error["code"]) == (403, "role_too_low"), at
        again = await browser.call("POST", "/v1/device/token", **poll)
        assert (again.status, again.error["code"]) == (400, "expired_token")
        assert (await browser.call("GET", path)).status == 404
        assert granted["access_token"] not in browser.serve.said + str(browser.audit)
        ended = await browser.call("POST", "/v1/sign-out", headers=token)
        assert ended.status == 204
        assert (await browser.call("GET", "/v1/whoami", headers=token)).status == 401


async def test_only_a_person_confirms_a_device(tmp_path: Path) -> None:
    """A token of the server's file is nobody's; and nobody can try out codes."""
    secret_file(tmp_path / "tokens", "a-token-of-the-file\n")
    server = f'[server]\ntoken_file = "{tmp_path / "tokens"}"\n'
    async with peopled(tmp_path, EXAMPLE + server) as browser:
        codes = (await browser.call("POST", "/v1/device/code", json={})).json
        path = f"/v1/sign-in/devices/{codes['user_code']}"
        body, file = {"confirmed": True}, {"Authorization": "Bearer a-token-of-the-file"}
        assert (await browser.call("POST", path, json=body)).status == 401
        refused = await browser.call("POST", path, json=body, headers=file)
        assert (refused.status, refused.error["code"]) == (403, "role_too_low")
        await browser.sign_in()
        wrong = path[:-1] + ("C" if path.endswith("B") else "B")
        tried = [await browser.call("GET", wrong) for _ in range(24)]
        assert tried[0].status == 404
        assert tried[-1].error["code"] == "too_many_sign_ins"


async def test_a_device_that_is_refused_gets_nothing(tmp_path: Path) -> None:
    async with peopled(tmp_path) as browser:
        await browser.sign_in()
        own = browser.from_own_page
        codes = (await browser.call("POST", "/v1/device/code", json={})).json
        path = f"/v1/sign-in/devices/{codes['user_code']}"
        assert (await browser.call("POST", path, json={"confirmed": False}, headers=own)).json == {
            "user_code": codes["user_code"], "confirmed": False,
        }  # fmt: skip
        poll = {"json": {"device_code": codes["device_code"]}}
        denied = await browser.call("POST", "/v1/device/token", **poll)
        assert (denied.status, denied.error["code"]) == (403, "access_denied")


async def test_one_address_cannot_ask_for_codes_without_end(tmp_path: Path) -> None:
    async with peopled(tmp_path) as browser:
        answers = await asyncio.gather(
            *(browser.call("POST", "/v1/device/code", json={}) for _ in range(40))
        )
        statuses = sorted(answer.status for answer in answers)
        assert statuses[0] == 200
        assert statuses[-1] == 429
        (refused,) = [answer for answer in answers if answer.status == 429][:1]
        assert refused.error["code"] == "too_many_sign_ins"
        assert int(refused.headers["Retry-After"]) >= 1

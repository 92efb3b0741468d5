"""The person signs in from the editor: a code that somebody confirms, and a token that stays."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from cato_backend.team.records import Person, Team
from cato_backend.team.store import TeamStore
from cato_lab.emulator import Emulator
from tests.contract.lsp.backends import gateway
from tests.contract.lsp.editor import Editor, plain, text_of
from tests.contract.lsp.launching import Launcher

SAMPLE = "def add(a, b):\n    return \n\n\nprint(add(1, 2))\n"
CONFIG = """
[oidc]
issuer = "http://127.0.0.1:1"
client_id = "cato"
allowed_domains = ["*"]
"""


@dataclass(frozen=True, slots=True)
class TeamServer:
    """A server to which people sign in, and a person who is there already."""

    url: str
    token: str

    async def confirm(self, code: str, *, confirmed: bool = True) -> str:
        """As on the page; which device it is."""
        headers = {"authorization": f"Bearer {self.token}"}
        async with aiohttp.ClientSession(self.url, headers=headers) as http:
            path = f"/v1/sign-in/devices/{code}"
            async with http.get(path) as shown:
                client = (await shown.json())["client"]
            async with http.post(path, json={"confirmed": confirmed}) as done:
                assert done.status == 200
        return str(client)


@asynccontextmanager
async def team_server(fake: Emulator, folder: Path) -> AsyncGenerator[TeamServer]:
    store, config = TeamStore(folder / "people.sqlite3"), folder / "cato.toml"
    store.create_team(Team("web"))
    store.create_person(Person("ada", "web"))
    secret = store.create_token("first", "ada").secret
    store.close()
    config.write_text(CONFIG)
    arguments = ("--config", str(config), "--team-store", str(store.path))
    # Of another user, to whose state folder the editors here do not look.
    elsewhere = folder / "server"
    elsewhere.mkdir()
    async with gateway(fake, elsewhere, *arguments) as url:
        yield TeamServer(url, secret)


async def finished(editor: Editor, **params: Any) -> dict[str, Any]:
    return plain(await editor.ask("cato/finishSignIn", params))


async def test_the_token_is_kept_for_all_editors_of_the_user(
    launch: Launcher, fake: Emulator, tmp_path: Path
) -> None:
    async with team_server(fake, tmp_path) as team:
        settings = {"backend": {"url": team.url}}
        editor = await launch.stdio(settings=settings, state="unauthorized")
        editor.open(SAMPLE)
        begun = plain(await editor.ask("cato/signIn"))
        assert begun["outcome"] == "ok"
        assert begun["verificationUriComplete"] == f"{team.url}/#device={begun['userCode']}"
        assert " on " in await team.confirm(begun["userCode"])
        done = await finished(editor)
        assert (done["person"], done["token"]) == ("ada", None)
        await editor.ready()
        assert text_of(await editor.inline(1, 11)) == "a + b"
        kept = tmp_path / "state" / "sign-ins.json"
        (token,) = json.loads(kept.read_text()).values()
        assert kept.stat().st_mode & 0o777 == 0o600
        await (await launch.stdio(settings=settings)).ready()
        # It is for this address alone.
        elsewhere = {"backend": {"url": team.url.replace("127.0.0.1", "localhost")}}
        await launch.stdio(settings=elsewhere, state="unauthorized")
        kept.chmod(0o644)
        open_to_all = await launch.stdio(settings=settings, state="unreachable")
        assert f"chmod 600 {kept}" in (await open_to_all.status())["message"]
    assert token not in launch.log


async def test_a_client_that_keeps_secrets_gets_the_token_itself(
    launch: Launcher, fake: Emulator, tmp_path: Path
) -> None:
    async with team_server(fake, tmp_path) as team:
        editor = await launch.stdio(settings={"backend": {"url": team.url}}, state="unauthorized")
        begun = plain(await editor.ask("cato/signIn"))
        await team.confirm(begun["userCode"])
        done = await finished(editor, keep=False)
        assert done["token"].startswith("cato_")
        assert not (tmp_path / "state" / "sign-ins.json").exists()
    assert done["token"] not in launch.log


async def test_failures_of_a_sign_in_are_explained(
    launch: Launcher, fake: Emulator, tmp_path: Path
) -> None:
    async with team_server(fake, tmp_path) as team:
        editor = await launch.stdio(settings={"backend": {"url": team.url}}, state="unauthorized")
        assert (await finished(editor))["message"] == "no sign-in has begun"
        begun = plain(await editor.ask("cato/signIn"))
        await team.confirm(begun["userCode"], confirmed=False)
        refused = await finished(editor)
        assert (refused["outcome"], "refused this device" in refused["message"]) == ("failed", True)
    editor = await launch.stdio(settings={"backend": {"url": fake.url}})
    none = plain(await editor.ask("cato/signIn"))
    assert none["outcome"] == "failed"
    assert "offers no sign-in" in none["message"]
    editor = await launch.stdio(state="unreachable")
    assert "set backend.url first" in plain(await editor.ask("cato/signIn"))["message"]

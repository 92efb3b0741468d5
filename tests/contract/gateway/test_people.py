"""`cato serve` with a store of people and teams that changes while it runs."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from cato_backend.team.records import Person, Role, Team, UsageLimits
from cato_backend.team.store import TeamStore
from cato_backend.wire.discovery import discover
from cato_lab.emulator import Behaviour
from tests.contract.gateway.serving import refusal, serving
from tests.contract.gateway.site import CHAT, COMPLETIONS, DONE, TASKS, Answer, Site, eventually
from tests.contract.gateway.sockets import head, raw
from tests.fakes import fake_vllm
from tests.secret_files import secret_file

pytestmark = pytest.mark.asyncio(loop_scope="module")

BODY = {"prompt": "x", "max_tokens": 4}
FILE_TOKEN = "token-of-the-file"


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def status_of(site: Site, token: str, expected: int) -> Answer:
    """The first answer with this status, which must come soon; 200 to nobody unnamed."""

    found: list[Answer] = []

    async def look() -> Answer:
        found.append(await site.call("GET", "/v1/whoami", headers=bearer(token)))
        return found[-1]

    def is_there(answer: Answer) -> bool:
        return answer.status == expected and (expected != 200 or answer.json["person"] is not None)

    await eventually(is_there, look)
    return found[-1]


@asynccontextmanager
async def peopled(
    folder: Path, *arguments: str, config: str = "", behaviour: Behaviour | None = None
) -> AsyncGenerator[tuple[Site, TeamStore]]:
    """A server whose store is open here as well, as it is to the command line."""
    store = TeamStore(folder / "people.sqlite3")
    for name in ("web", "api"):
        store.create_team(Team(name))
    for person in (
        Person("ada", "web"),
        Person("lee", "web", Role.LEAD),
        Person("root", "web", Role.ADMIN),
        Person("bo", "api"),
    ):
        store.create_person(person)
    async with (
        fake_vllm(behaviour) as fake,
        serving(
            folder,
            *("--team-store", str(store.path)),
            *arguments,
            config=config,
            replicas=(fake.url,),
        ) as serve,
        aiohttp.ClientSession() as http,
    ):
        yield Site(serve, [fake], http), store
    store.close()


async def test_tokens_come_and_go_while_the_server_runs(tmp_path: Path) -> None:
    """Without a token everybody may come in, and this user's editors go on to."""
    async with peopled(tmp_path) as (site, store):
        answer = await site.call("GET", "/v1/whoami")
        assert answer.json == {"person": None, "team": None, "role": "admin"}
        secret, token = store.create_token("laptop", "ada")
        answer = await status_of(site, secret, 200)
        assert answer.json == {"person": "ada", "team": "web", "role": "user"}
        assert (await site.call("GET", "/v1/models")).status == 401
        await site.serve.wait_said("the first token was made: every request needs a token")

        async def announced() -> str:
            found = discover(tmp_path / "state" / "backend.json")
            return (found and found.token) or ""

        await eventually(bool, announced)
        own = await site.call("GET", "/v1/whoami", headers=bearer(await announced()))
        assert own.json == {"person": None, "team": None, "role": "admin"}

        store.revoke(token.id)
        refused = await status_of(site, secret, 401)
        assert refused.error["code"] == "token_revoked"
        wrong = await site.call("GET", "/v1/whoami", headers=bearer(secret + "x"))
        assert wrong.error["code"] == "invalid_api_key"
        assert secret not in site.serve.said


async def test_a_token_that_has_expired_is_told_so(tmp_path: Path) -> None:
    async with peopled(tmp_path) as (site, store):
        secret, _ = store.create_token("old", "ada", expires=1.0)
        refused = await status_of(site, secret, 401)
        assert refused.error["code"] == "token_expired"
        assert "expired at 1970-01-01T00:00:01Z" in refused.error["message"]


async def test_tokens_of_the_file_and_of_the_store_are_both_accepted(tmp_path: Path) -> None:
    file = secret_file(tmp_path / "tokens", f"{FILE_TOKEN}\n")
    async with peopled(tmp_path, "--token-file", str(file)) as (site, store):
        secret, _ = store.create_token("laptop", "ada")
        await status_of(site, secret, 200)
        answer = await site.call("GET", "/v1/whoami", headers=bearer(FILE_TOKEN))
        assert answer.json == {"person": None, "team": None, "role": "admin"}
        assert (await site.post(BODY, **bearer(secret))).status == 200
        assert (await site.post(BODY, **bearer(FILE_TOKEN))).status == 200


async def test_tokens_are_made_and_revoked_over_http(tmp_path: Path) -> None:
    async with peopled(tmp_path) as (site, store):
        root = bearer(store.create_token("root", "root").secret)
        await status_of(site, root["authorization"].removeprefix("Bearer "), 200)
        made = await site.post(
            {"name": "ci", "person": "ada", "expires": "90d"}, "/v1/tokens", **root
        )
        assert made.status == 201
        token = made.json
        assert token["token"].startswith(token["starts"])
        assert {token[name] for name in ("name", "person", "team", "role")} == {
            *("ci", "ada", "web", "user")
        }
        ada = bearer(token["token"])
        assert (await site.post(BODY, **ada)).status == 200
        listed = (await site.call("GET", "/v1/tokens", headers=ada)).json
        assert listed["object"] == "list"
        (entry,) = listed["data"]
        assert {**entry, "last_used": None} == {k: v for k, v in token.items() if k != "token"}
        revoked = await site.call("DELETE", f"/v1/tokens/{token['id']}", headers=ada)
        assert revoked.status == 200
        assert revoked.json["revoked"] is not None
        assert (await site.post(BODY, **ada)).status == 401
        lines = (tmp_path / "people.audit.jsonl").read_text().splitlines()
        events = [(e["by"], e["event"], e["person"]) for e in map(json.loads, lines)]
        assert events == [("root", "token created", "ada"), ("ada", "token revoked", "ada")]
        assert token["token"] not in "".join(lines)


CASES: dict[str, tuple[dict[str, Any], int, str]] = {
    "unknown person": ({"name": "x", "person": "nobody"}, 400, "person"),
    "no name": ({"person": "ada"}, 400, "name"),
    "bad name": ({"name": "<script>", "person": "ada"}, 400, "name"),
    "name in use": ({"name": "root", "person": "root"}, 400, "name"),
    "past": ({"name": "x", "expires": "2020-01-01"}, 400, "expires"),
    "no time": ({"name": "x", "expires": "soon"}, 400, "expires"),
    "other field": ({"name": "x", "role": "admin"}, 400, "role"),
}


async def test_bad_tokens_are_refused_by_the_field(tmp_path: Path) -> None:
    async with peopled(tmp_path) as (site, store):
        secret, _ = store.create_token("root", "root")
        await status_of(site, secret, 200)
        for name, (body, status, param) in CASES.items():
            answer = await site.post(body, "/v1/tokens", **bearer(secret))
            assert (answer.status, answer.error["param"]) == (status, param), name


async def test_limits_of_a_person_are_refused_with_the_time_to_come_back(tmp_path: Path) -> None:
    async with peopled(tmp_path) as (site, store):
        store.save_person(Person("ada", "web", limits=UsageLimits(requests_per_minute=2)))
        store.save_person(Person("bo", "api", limits=UsageLimits(concurrent_requests=1)))
        ada, bo = (store.create_token("t", person).secret for person in ("ada", "bo"))
        await status_of(site, bo, 200)
        for _ in range(2):
            assert (await site.post(BODY, **bearer(ada))).status == 200
        refused = await site.post(BODY, **bearer(ada))
        assert (refused.status, refused.error["code"]) == (429, "limit_reached")
        assert 50 <= int(refused.headers["Retry-After"]) <= 60

        await site.fake.change(itl_ms=50)
        async with site.opened({**BODY, "max_tokens": 100, "stream": True}, **bearer(bo)):
            refused = await site.post(BODY, **bearer(bo))
            assert (refused.status, refused.error["code"]) == (429, "limit_reached")
            assert int(refused.headers["Retry-After"]) >= 1


@pytest.mark.parametrize("refuses", [True, False])
async def test_a_budget_holds(tmp_path: Path, refuses: bool) -> None:
    """Refused over budget, or served while nobody else asks; counted on after a restart."""
    config = f'[team]\nover_budget = "{"refuse" if refuses else "behind"}"\n'
    async with peopled(tmp_path, config=config) as (site, store):
        store.save_team(Team("web", limits=UsageLimits(output_tokens_per_day=1000)))
        ada, lee = (store.create_token("t", person).secret for person in ("ada", "lee"))
        await status_of(site, lee, 200)
        statuses = []
        for number in range(120):
            answer = await site.post(
                {"prompt": "x", "max_tokens": 10}, **bearer(ada if number % 2 else lee)
            )
            statuses.append(answer.status)
        if refuses:
            assert statuses == [200] * 100 + [429] * 20
            assert answer.error["code"] == "budget_spent"
            assert 1 <= int(answer.headers["Retry-After"]) <= 86_400
        else:
            assert statuses == [200] * 120
            priorities = [each.body.get("priority") for each in site.fake.requests]
            assert max(priorities[:100]) < min(priorities[100:])
    if refuses:
        async with fake_vllm() as fake, aiohttp.ClientSession() as http:
            arguments = ("--team-store", str(tmp_path / "people.sqlite3"))
            async with serving(tmp_path, *arguments, config=config, replicas=(fake.url,)) as serve:
                answer = await Site(serve, [fake], http).post(BODY, **bearer(ada))
                assert answer.error["code"] == "budget_spent"


LONG = "def f(x):\n    return x\n" * 60


async def cached(site: Site, token: str) -> int:
    answer = await site.post({"prompt": LONG, "max_tokens": 1}, **bearer(token))
    details = answer.json["usage"]["prompt_tokens_details"]
    return int(details["cached_tokens"] if details else 0)


@pytest.mark.parametrize(
    ("config", "shared", "expected"),
    [
        ("", "", [False, True, False]),
        ('[team]\nisolation = "person"\n', "", [False, False, False]),
        ('[team]\nisolation = "none"\n', "", [False, True, True]),
        ('[team]\nisolation = "person"\n', "monorepo", [False, True, True]),
    ],
)
async def test_teams_share_no_block_of_the_prefix_cache(
    tmp_path: Path, config: str, shared: str, expected: list[bool]
) -> None:
    """Asked in turn by Ada and Lee of one team and Bo of another one."""
    async with peopled(tmp_path, config=config) as (site, store):
        for name in ("web", "api"):
            store.save_team(Team(name, shared_context=shared))
        tokens = [store.create_token("t", person).secret for person in ("ada", "lee", "bo")]
        await status_of(site, tokens[-1], 200)
        assert [await cached(site, token) > 0 for token in tokens] == expected


async def test_a_client_cannot_choose_the_salt_of_another_team(tmp_path: Path) -> None:
    async with peopled(tmp_path) as (site, store):
        ada, bo = (store.create_token("t", person).secret for person in ("ada", "bo"))
        await status_of(site, bo, 200)
        await cached(site, ada)
        salt = site.fake.requests[-1].body["cache_salt"]
        assert "web" not in salt
        body = {"prompt": LONG, "max_tokens": 1, "cache_salt": salt}
        await site.post(body, **bearer(bo))
        assert site.fake.requests[-1].body["cache_salt"] != salt


async def test_a_store_that_everybody_can_read_is_refused(tmp_path: Path) -> None:
    store = TeamStore(tmp_path / "people.sqlite3")
    store.close()
    store.path.chmod(0o644)
    said = await refusal(tmp_path, "--model", "embedded", "--team-store", str(store.path))
    assert f"run: chmod 600 {store.path}" in said
    file = tmp_path / "tokens"
    file.write_text("secret\n")
    file.chmod(0o644)
    said = await refusal(tmp_path, "--model", "embedded", "--token-file", str(file))
    assert f"run: chmod 600 {file}" in said
    assert "secret" not in said


async def test_a_token_for_another_person_does_not_follow_their_promotion(tmp_path: Path) -> None:
    """Neither by that token, nor by another one that is made with it."""
    async with peopled(tmp_path) as (site, store):
        own, lee = (store.create_token("t", person).secret for person in ("ada", "lee"))
        await status_of(site, lee, 200)
        made = [own, lee]
        for name, maker in (("by-herself", 0), ("by-lee", 1), ("by-lee-s", 3)):
            body = {"name": name, "person": "ada"}
            answer = await site.call("POST", "/v1/tokens", json=body, headers=bearer(made[maker]))
            assert answer.status == 201
            made.append(answer.json["token"])
        store.save_person(Person("ada", "web", Role.ADMIN))

        async def roles() -> list[str]:
            answers = [
                await site.call("GET", "/v1/whoami", headers=bearer(token)) for token in made
            ]
            return [answer.json["role"] for answer in answers]

        await eventually(lambda found: found[0] == "admin", roles)
        assert await roles() == ["admin", "lead", "admin", "lead", "lead"]
        listed = (await site.call("GET", "/v1/tokens", headers=bearer(own))).json["data"]
        assert [(each["name"], each["role"]) for each in listed if each["person"] == "ada"] == [
            ("t", "admin"), ("by-herself", "admin"), ("by-lee", "lead"), ("by-lee-s", "lead"),
        ]  # fmt: skip


def begun(site: Site, token: str, tokens: int) -> list[asyncio.Task[Answer]]:
    """Two streams and an answer in one piece, of so many tokens, asked for with this token."""
    asked = Site(site.serve, site.fakes, site.http, token=token)
    limit = {"max_tokens": tokens}
    messages = [{"role": "user", "content": "x"}]
    bodies = [
        (COMPLETIONS, {"prompt": "x", "stream": True, **limit}),
        (CHAT, {"messages": messages, "stream": True, **limit}),
        (COMPLETIONS, {"prompt": "x", **limit}),
    ]
    return [asyncio.create_task(asked.post(body, path)) for path, body in bodies]


async def test_a_revoked_token_ends_a_whole_task_of_several_calls(tmp_path: Path) -> None:
    unit = {"name": "f", "kind": "function", "text": "x = 1\n" * 10}
    task = {
        "task": "translation",
        "language": "python",
        "target_language": "java",
        "units": [unit, {**unit, "name": "g"}],
    }
    async with peopled(tmp_path, behaviour=Behaviour(itl_ms=200)) as (site, store):
        secret, token = store.create_token("laptop", "ada")
        await status_of(site, secret, 200)
        asked = Site(site.serve, site.fakes, site.http, token=secret)
        asking = asyncio.create_task(asked.post(task, TASKS))
        await site.fake.wait_until(lambda state: state.running == 2)
        store.revoke(token.id)
        answer = await asking
        await site.fake.wait_until(lambda state: state.running == 0)
    if answer.status == 200:
        assert json.loads(answer.events[-2])["error"]["code"] == "token_revoked"
    else:
        assert (answer.status, answer.error["code"]) == (401, "token_revoked")


async def test_a_revoked_token_ends_its_answers_under_way_and_no_others(tmp_path: Path) -> None:
    async with peopled(tmp_path, behaviour=Behaviour(itl_ms=40)) as (site, store):
        kept, _ = store.create_token("desktop", "ada")
        secret, token = store.create_token("laptop", "ada")
        await status_of(site, secret, 200)
        going_on = begun(site, kept, 80)
        ended = begun(site, secret, 4000)
        await site.fake.wait_until(lambda state: state.running == 6)
        store.revoke(token.id)
        *streams, whole = await asyncio.gather(*ended)
        assert not any(task.done() for task in going_on)
        for stream in streams:
            assert json.loads(stream.events[-2])["error"]["code"] == "token_revoked"
            assert stream.events[-1] == DONE
        assert (whole.status, whole.error["code"]) == (401, "token_revoked")
        await site.fake.wait_until(lambda state: state.running == 3)
        first, *_ = await asyncio.gather(*going_on)
        assert first.chunks[-1]["choices"][0]["finish_reason"] == "length"


async def test_a_token_that_expires_ends_its_answers_under_way(tmp_path: Path) -> None:
    async with peopled(tmp_path, behaviour=Behaviour(itl_ms=40)) as (site, store):
        kept, _ = store.create_token("desktop", "ada")
        await status_of(site, kept, 200)
        secret, _ = store.create_token("laptop", "ada", expires=time.time() + 4)
        await status_of(site, secret, 200)
        going_on = begun(site, kept, 200)
        ended = begun(site, secret, 4000)
        *streams, whole = await asyncio.gather(*ended)
        assert not any(task.done() for task in going_on)
        for stream in streams:
            assert json.loads(stream.events[-2])["error"]["code"] == "token_expired"
        assert (whole.status, whole.error["code"]) == (401, "token_expired")
        first, *_ = await asyncio.gather(*going_on)
        assert first.chunks[-1]["choices"][0]["finish_reason"] == "length"


async def test_only_admins_are_told_paths_of_the_server(tmp_path: Path) -> None:
    config = f'[discovery]\nsources = ["file://{tmp_path}/replicas"]\n'
    async with peopled(tmp_path, config=config) as (site, store):
        secrets = {name: store.create_token("t", name).secret for name in ("ada", "lee", "root")}
        for name, secret in secrets.items():
            await status_of(site, secret, 200)
            for path in ("/health", "/v1/overview"):
                told = (await site.call("GET", path, headers=bearer(secret))).body.decode()
                assert "static-1" in told
                assert (str(tmp_path) in told) is (name == "root"), (name, path)


async def test_a_token_that_is_revoked_before_the_body_has_come_gets_no_answer(
    tmp_path: Path,
) -> None:
    async with peopled(tmp_path, behaviour=Behaviour(itl_ms=40)) as (site, store):
        secret, token = store.create_token("laptop", "ada")
        await status_of(site, secret, 200)
        under_way = begun(site, secret, 4000)
        body = json.dumps({"prompt": "x", "max_tokens": 4}).encode()
        own = {"authorization": f"Bearer {secret}", "expect": "100-continue"}
        async with raw(site.url) as client:
            client.send(head("POST", COMPLETIONS, content_length=len(body), **own))
            assert " 100 Continue" in await client.head()
            await site.fake.wait_until(lambda state: state.running == 3)
            store.revoke(token.id)
            await asyncio.gather(*under_way)  # They were ended, and are not looked at again.
            client.send(body)
            status, answer = await client.response()
        assert " 401 " in status
        assert b"token_revoked" in answer

"""What each role may do: every route, and tokens of one's own, of the team's and of others."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio

from cato_backend.gateway.error_forms import OPENAI, form_of
from cato_backend.gateway.routes import ROUTES
from cato_backend.team.records import Person, Role, Team
from cato_backend.team.store import TeamStore
from tests.contract.gateway.site import Answer, Site, serving_site

pytestmark = pytest.mark.asyncio(loop_scope="module")

OPEN, EVERYBODY = None, Role.USER
TOKENS_OF_A_PERSON = "/v1/people/{name}/tokens"
LEAST: dict[tuple[str, str], Role | None] = {
    ("POST", "/v1/completions"): EVERYBODY,
    ("POST", "/v1/chat/completions"): EVERYBODY,
    ("POST", "/v1/messages"): EVERYBODY,
    ("POST", "/v1/messages/count_tokens"): EVERYBODY,
    ("POST", "/v1/responses"): EVERYBODY,
    ("POST", "/v1/tasks"): EVERYBODY,
    ("POST", "/v1/warm"): EVERYBODY,
    ("POST", "/v1/feedback"): EVERYBODY,
    ("GET", "/v1/feedback"): EVERYBODY,
    ("GET", "/v1/usage"): EVERYBODY,
    ("GET", "/v1/usage.csv"): EVERYBODY,
    ("GET", "/v1/usage/team"): Role.LEAD,
    ("GET", "/v1/usage/team.csv"): Role.LEAD,
    ("POST", "/v1/requests/{id}/cancel"): EVERYBODY,
    ("GET", "/v1/whoami"): EVERYBODY,
    ("GET", "/v1/tokens"): EVERYBODY,
    ("POST", "/v1/tokens"): EVERYBODY,
    ("DELETE", "/v1/tokens/{id}"): EVERYBODY,
    ("DELETE", TOKENS_OF_A_PERSON): EVERYBODY,
    ("GET", "/v1/sign-in"): OPEN,
    ("POST", "/v1/sign-out"): EVERYBODY,
    ("POST", "/v1/device/code"): OPEN,
    ("POST", "/v1/device/token"): OPEN,
    ("GET", "/v1/sign-in/devices/{code}"): EVERYBODY,
    ("POST", "/v1/sign-in/devices/{code}"): EVERYBODY,
    ("GET", "/sign-in"): OPEN,
    ("GET", "/sign-in/callback"): OPEN,
    ("GET", "/v1/models"): EVERYBODY,
    ("GET", "/v1/models/{name:.+}"): EVERYBODY,
    ("GET", "/v1/replicas/{id}/profile"): EVERYBODY,
    ("GET", "/v1/overview"): EVERYBODY,
    ("GET", "/"): OPEN,
    ("GET", "/page/{name}"): OPEN,
    ("GET", "/health"): OPEN,
    ("GET", "/identity"): OPEN,
    ("GET", "/metrics"): EVERYBODY,
    ("GET", "/openapi.json"): OPEN,
}
"""The least role of each route; what of it a role sees and changes, the other tables say."""

PEOPLE = {
    "user": Person("user", "web"),
    "colleague": Person("colleague", "web"),
    "lead": Person("lead", "web", Role.LEAD),
    "second lead": Person("second lead", "web", Role.LEAD),
    "admin": Person("admin", "web", Role.ADMIN),
    "stranger": Person("stranger", "api"),
    "strange lead": Person("strange lead", "api", Role.LEAD),
}
OF_WEB = {"user", "colleague", "lead", "second lead", "admin"}
SEEN = {"user": {"user"}, "lead": OF_WEB, "admin": set(PEOPLE)}
CHANGED = {
    "user": {"user"},
    "lead": {"user", "colleague", "lead", "second lead"},
    "admin": set(PEOPLE),
}


@dataclass(frozen=True, slots=True)
class Peopled:
    """A server with people of each role, and a token of each."""

    site: Site
    store: TeamStore
    secrets: dict[str, str]

    async def call(
        self, who: str, method: str, path: str, body: dict[str, Any] | None = None
    ) -> Answer:
        headers = {"accept": "text/html"}  # The page at `/` is for browsers.
        if who:
            headers["authorization"] = f"Bearer {self.secrets[who]}"
        async with self.site.http.request(
            method, self.site.url + path, json=body, headers=headers
        ) as response:
            return Answer(response.status, response.headers, await response.read())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def peopled(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Peopled]:
    folder = tmp_path_factory.mktemp("roles")
    store = TeamStore(folder / "people.sqlite3")
    for name in ("web", "api"):
        store.create_team(Team(name))
    for person in PEOPLE.values():
        store.create_person(person)
    secrets = {name: store.create_token("first", name).secret for name in PEOPLE}
    async with serving_site(folder, "--team-store", str(store.path)) as site:
        yield Peopled(site, store, secrets)
    store.close()


async def test_only_admins_are_told_where_the_server_keeps_its_files(tmp_path: Path) -> None:
    store, listed = TeamStore(tmp_path / "people.sqlite3"), tmp_path / "replicas"
    store.create_team(Team("web"))
    for name in ("user", "admin"):
        store.create_person(PEOPLE[name])
    secrets = {name: store.create_token("first", name).secret for name in ("user", "admin")}
    arguments = ("--team-store", str(store.path), "--replicas-from", str(listed))
    async with serving_site(tmp_path, *arguments, replicas=0) as site:
        peopled = Peopled(site, store, secrets)
        await site.serve.wait_said(str(listed))
        for path in ("/health", "/v1/overview"):
            to_admin, to_user = [await peopled.call(who, "GET", path) for who in ("admin", "user")]
            assert str(listed).encode() in to_admin.body
            assert str(tmp_path).encode() not in to_user.body
            assert b"a path on the server" in to_user.body
    store.close()


async def test_every_route_is_in_the_table() -> None:
    assert {(route.method, route.path) for route in ROUTES} == set(LEAST)
    for route in ROUTES:
        least = LEAST[route.method, route.path]
        assert route.is_open == (least is OPEN)
        assert least is OPEN or route.least_role is least


@pytest.mark.parametrize("who", ["", "wrong", *(role.value for role in Role)])
@pytest.mark.parametrize(("method", "path"), LEAST)
async def test_a_route_is_open_to_its_roles_alone(
    peopled: Peopled, method: str, path: str, who: str
) -> None:
    """A body of `{}` is refused with 400 where one is needed, which is after the role is known."""
    least = LEAST[method, path]
    place = path.replace("{id}", "none").replace("{name:.+}", "none").replace("{name}", "none")
    secrets = {**peopled.secrets, "wrong": "cato_wrong"}
    asked = Peopled(peopled.site, peopled.store, secrets)
    answer = await asked.call(who, method, place, {} if method == "POST" else None)
    if least is OPEN:
        assert answer.status in (200, 400, 404)
    elif who in ("", "wrong"):
        assert answer.status == 401
        if form_of(path) is OPENAI:
            assert answer.error["code"] == "invalid_api_key"
        else:
            assert answer.json["error"]["type"] == "authentication_error"
    elif path == TOKENS_OF_A_PERSON:
        # Nobody of this name is there, which admins alone are told.
        assert answer.status == (404 if who == "admin" else 403)
    elif Role(who).includes(least):
        assert answer.status in (200, 400, 404)
    else:
        assert (answer.status, answer.error["code"]) == (403, "role_too_low")


@pytest.mark.parametrize("who", SEEN)
async def test_who_sees_whose_tokens(peopled: Peopled, who: str) -> None:
    listed = (await peopled.call(who, "GET", "/v1/tokens")).json["data"]
    assert {entry["person"] for entry in listed} == SEEN[who]
    assert not any("hash" in entry or "token" in entry for entry in listed)


@pytest.mark.parametrize("who", CHANGED)
@pytest.mark.parametrize("whose", [*PEOPLE, "nobody"])
async def test_who_makes_and_revokes_whose_tokens(peopled: Peopled, who: str, whose: str) -> None:
    """Who may not is told the same of people and tokens that are not there."""
    name = f"by {who}"
    made = await peopled.call(who, "POST", "/v1/tokens", {"name": name, "person": whose})
    if whose in CHANGED[who]:
        assert made.status == 201
        token_id = made.json["id"]
    elif whose == "nobody":
        assert made.status == (400 if who == "admin" else 403)
        token_id = "tok_none"
    else:
        assert (made.status, made.error["code"]) == (403, "role_too_low")
        token_id = peopled.store.create_token(name, whose).token.id
    revoked = await peopled.call(who, "DELETE", f"/v1/tokens/{token_id}")
    if whose in CHANGED[who]:
        assert revoked.json["revoked"] is not None
    elif whose in SEEN[who]:
        assert (revoked.status, revoked.error["code"]) == (403, "role_too_low")
    else:
        assert revoked.status == 404
        assert revoked.error["message"] == f"id: no token {token_id!r}"


@pytest.mark.parametrize("who", CHANGED)
@pytest.mark.parametrize("whose", PEOPLE)
async def test_who_revokes_all_tokens_of_whom(peopled: Peopled, who: str, whose: str) -> None:
    name = f"{whose} for {who}"
    peopled.store.create_person(replace(PEOPLE[whose], name=name))
    former, *kept = [peopled.store.create_token(each, name).token for each in ("a", "b", "c")]
    peopled.store.revoke(former.id)
    path = TOKENS_OF_A_PERSON.replace("{name}", quote(name))
    answer = await peopled.call(who, "DELETE", path)
    left = [each for each in peopled.store.tokens(name) if each.revoked is None]
    if who == "user" or whose not in CHANGED[who]:
        assert (answer.status, answer.error["code"]) == (403, "role_too_low")
        assert len(left) == 2
    else:
        assert {each["id"] for each in answer.json["data"]} == {each.id for each in kept}
        assert left == []
        assert any(each.revoked is None for each in peopled.store.tokens(whose))


async def test_a_person_cannot_raise_their_own_role(peopled: Peopled) -> None:
    """Neither by a field of the body, nor by a token of their own."""
    body = {"name": "higher", "role": "admin"}
    assert (await peopled.call("user", "POST", "/v1/tokens", body)).status == 400
    made = await peopled.call("user", "POST", "/v1/tokens", {"name": "same"})
    assert made.json["role"] == "user"
    assert made.json["person"] == "user"

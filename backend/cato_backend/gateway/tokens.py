"""`GET /v1/whoami`, the tokens of people, and the permissions of roles."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from typing import Any

import orjson
from aiohttp import web
from pydantic import Field

from cato_backend.errors import InvalidRequest, NotFound, RoleTooLow, TeamError
from cato_backend.gateway.bodies import StrictBody
from cato_backend.gateway.incoming import parse_json, validated
from cato_backend.gateway.responses import json_response
from cato_backend.gateway.state import GATEWAY, REQUESTER
from cato_backend.team.audit import AuditLog
from cato_backend.team.identities import check_may_grant
from cato_backend.team.index import Requester
from cato_backend.team.records import AccessToken, NewToken, Person, Role, iso_time, parse_expiry
from cato_backend.team.store import TeamStore

_FILE_OWNER = "a token of the server's file"


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Reach(Enum):
    """The people whose tokens a requester may see, make and revoke."""

    OWN = auto()
    TEAM = auto()
    ALL = auto()


REACH = {Role.USER: Reach.OWN, Role.LEAD: Reach.TEAM, Role.ADMIN: Reach.ALL}


def authorized(least: Role, handler: Handler) -> Handler:
    """Return the handler for those alone who have this role, or a higher one."""

    async def checked(request: web.Request) -> web.StreamResponse:
        """Raise RoleTooLow, else answer."""
        role = request[REQUESTER].role
        if not role.includes(least):
            raise RoleTooLow(f"{request.path} needs the role {least}; this token has {role}")
        return await handler(request)

    return checked


def may_see(requester: Requester, token: AccessToken) -> bool:
    """Return whether the requester may see that the token exists."""
    match REACH[requester.role]:
        case Reach.OWN:
            return token.person == requester.person
        case Reach.TEAM:
            return token.team == requester.team
        case Reach.ALL:
            return True


def may_change(requester: Requester, owner: Person) -> bool:
    """Return whether the requester may make and revoke tokens of this person.

    A requester never makes a token with a role above their own.
    """
    if owner.name == requester.person:
        return True
    match REACH[requester.role]:
        case Reach.OWN:
            return False
        case Reach.TEAM:
            return owner.team == requester.team and requester.role.includes(owner.role)
        case Reach.ALL:
            return True


def most_role(requester: Requester, owner: str) -> Role:
    """Return the highest role of a token that the requester makes for `owner`.

    A requester knows the tokens that they make for others: their role must not follow the owner's
    when the owner is promoted.
    """
    return requester.most_role if owner == requester.person else requester.role


class TokenBody(StrictBody):
    """The body of `POST /v1/tokens`."""

    name: str = Field(min_length=1, max_length=64)
    person: str | None = Field(default=None, min_length=1, max_length=64)
    expires: str | None = Field(default=None, min_length=1, max_length=40)


async def whoami(request: web.Request) -> web.StreamResponse:
    """`GET /v1/whoami`: the person, team and role of the token."""
    who = request[REQUESTER]
    return json_response({"person": who.person, "team": who.team, "role": who.role})


async def list_tokens(request: web.Request) -> web.StreamResponse:
    """`GET /v1/tokens`: one's own; a lead sees those of the team, an admin all."""
    who = request[REQUESTER]

    def work(store: TeamStore, _: AuditLog) -> bytes:
        # In the store's thread: there may be 100,000.
        data = [token_entry(token) for token in _within_reach(who, store)]
        return orjson.dumps({"object": "list", "data": data})

    body = await request.app[GATEWAY].runtime.teams.do(work)
    return web.Response(body=body, content_type="application/json")


async def create_token(request: web.Request) -> web.StreamResponse:
    """`POST /v1/tokens`: make a token; the answer alone holds its secret, as `token`."""
    gateway, who = request.app[GATEWAY], request[REQUESTER]
    body = validated(TokenBody, parse_json(await gateway.bodies.read(request)))
    name, client = body.person or who.person, _client_of(request)
    if name is None:
        raise InvalidRequest("person: got nothing, expected whose token it is", param="person")

    def work(store: TeamStore, audit: AuditLog) -> NewToken:
        check_may_grant(store, who)
        _check_change(who, store, name)
        expires = parse_expiry(body.expires, time.time()) if body.expires else None
        made = store.create_token(body.name, name, expires, most_role(who, name))
        audit.changed(_author(who), "token created", **_audited(made.token), address=client)
        return made

    try:
        made = await gateway.runtime.teams.do(work)
    except TeamError as error:
        raise InvalidRequest(str(error), param=error.field) from error
    return json_response({**token_entry(made.token), "token": made.secret}, status=201)


async def revoke_token(request: web.Request) -> web.StreamResponse:
    """`DELETE /v1/tokens/{id}`: revoke a token permanently."""
    gateway, who, token_id = request.app[GATEWAY], request[REQUESTER], request.match_info["id"]
    client = _client_of(request)

    def work(store: TeamStore, audit: AuditLog) -> AccessToken:
        token = store.token(token_id)
        if not may_see(who, token):
            raise TeamError("id", "")
        _check_change(who, store, token.person)
        revoked = store.revoke(token_id)
        audit.changed(_author(who), "token revoked", **_audited(revoked), address=client)
        return revoked

    try:
        return json_response(token_entry(await gateway.runtime.teams.do(work)))
    except TeamError as error:
        # The same for a token that is not there and for one that is not shown.
        raise NotFound(f"id: no token {token_id[:80]!r}", param="id") from error


async def revoke_all(request: web.Request) -> web.StreamResponse:
    """`DELETE /v1/people/{name}/tokens`: revoke every token of a person; the answer has these."""
    who, name, client = request[REQUESTER], request.match_info["name"], _client_of(request)

    def work(store: TeamStore, audit: AuditLog) -> list[AccessToken]:
        _check_change(who, store, name)
        revoked = store.revoke_all(name)
        for token in revoked:
            audit.changed(_author(who), "token revoked", **_audited(token), address=client)
        return revoked

    try:
        revoked = await request.app[GATEWAY].runtime.teams.do(work)
    except TeamError as error:
        raise NotFound(f"name: no person {name[:80]!r}", param="name") from error
    return json_response({"object": "list", "data": [token_entry(token) for token in revoked]})


def token_entry(token: AccessToken) -> dict[str, Any]:
    """Return the public fields of a token."""
    return {
        "id": token.id,
        "name": token.name,
        "person": token.person,
        "team": token.team,
        "role": token.role,
        "starts": token.starts,
        "created": iso_time(token.created),
        "expires": iso_time(token.expires),
        "revoked": iso_time(token.revoked),
        "last_used": iso_time(token.last_used),
    }


def _within_reach(who: Requester, store: TeamStore) -> list[AccessToken]:
    match REACH[who.role]:
        case Reach.OWN:
            return store.tokens(person=who.person or "")
        case Reach.TEAM:
            return store.tokens(team=who.team or "")
        case Reach.ALL:
            return store.tokens()


def _check_change(who: Requester, store: TeamStore, person: str) -> None:
    """Raise RoleTooLow where the requester may not change this person's tokens; TeamError.

    To those who may not, people who are there and people who are not look alike.
    """
    try:
        owner = store.person(person)
    except TeamError:
        if may_change(who, Person(person, "")):
            raise
    else:
        if may_change(who, owner):
            return
    raise RoleTooLow(f"person: the role {who.role} makes and revokes no tokens of {person!r}")


def _audited(token: AccessToken) -> dict[str, object]:
    return {"token": token.id, "name": token.name, "person": token.person}


def _client_of(request: web.Request) -> str:
    return request.app[GATEWAY].proxies.client_of(request)


def _author(who: Requester) -> str:
    return who.person or _FILE_OWNER

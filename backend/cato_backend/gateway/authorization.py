"""What each role may do: which routes, and whose tokens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import Enum, auto

from aiohttp import web

from cato_backend.errors import RoleTooLow
from cato_backend.gateway.state import REQUESTER
from cato_backend.team.index import Requester
from cato_backend.team.records import AccessToken, Person, Role

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Reach(Enum):
    """Whose tokens a requester sees, makes and revokes."""

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

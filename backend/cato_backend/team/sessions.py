"""Tokens of sign-ins, on the page and of devices: what their names tell of them.

Those of the page are short-lived; the store need not keep them for ever.
"""

from __future__ import annotations

from cato_backend.errors import RoleTooLow
from cato_backend.team.database import transaction
from cato_backend.team.index import Requester
from cato_backend.team.records import Role
from cato_backend.team.store import TeamStore
from cato_backend.team.token_secrets import NewToken

_PREFIX = "page "
_DEVICE_PREFIX = "device "
_KEPT_S = 7 * 86_400.0
"""How long an expired one stays in the list."""


def create_session_token(
    store: TeamStore, mark: str, person: str, now: float, lasts_s: float
) -> NewToken:
    """Make the token of a sign-in on the page, and forget those that expired long ago.

    `mark` distinguishes it from others of the person. Raises TeamError.
    """
    with transaction(store.connection, store.path) as connection:
        connection.execute(
            "DELETE FROM tokens WHERE person = ? AND name LIKE ? AND expires < ?",
            (person, f"{_PREFIX}%", now - _KEPT_S),
        )
    return store.create_token(_PREFIX + mark, person, now + lasts_s)


def create_device_token(store: TeamStore, code: str, person: str, expires: float) -> NewToken:
    """Make the token of a device whose code the person has confirmed. Raises TeamError."""
    return store.create_token(_DEVICE_PREFIX + code, person, expires, Role.USER)


def check_may_grant(store: TeamStore, who: Requester) -> None:
    """Check that a token may make tokens. One of a device may not: they would outlive it.

    Raises RoleTooLow, TeamError.
    """
    if who.token_id and store.token(who.token_id).name.startswith(_DEVICE_PREFIX):
        raise RoleTooLow(
            "authorization: a token of a device makes no tokens and confirms no devices; sign in on"
            " the page"
        )

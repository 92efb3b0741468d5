"""Who may sign in, and as whom."""

from __future__ import annotations

from typing import Any

import pytest

from cato_backend.config import OidcConfig
from cato_backend.errors import SignInRefused
from cato_backend.sign_in.admission import admitted
from cato_backend.team.records import Role

ADA = {
    "iss": "https://id.example.com", "sub": "1", "email": "Ada@Example.com", "email_verified": True,
    "preferred_username": "ada", "groups": ["staff", "web", "heads"],
    "realm_access": {"roles": ["web"]}, "a.b": ["web"],
}  # fmt: skip


def config(**fields: Any) -> OidcConfig:
    own = {"issuer": "https://id.example.com", "client_id": "cato", "allowed_domains": ("*",)}
    return OidcConfig(**{**own, **fields})


def test_names_teams_and_roles_follow_the_claims() -> None:
    rules = config(
        person_claim="preferred_username",
        teams={"web": "web", "staff": "others"},
        roles={"staff": "user", "heads": "lead"},
    )
    visitor = admitted(ADA, rules)
    assert (visitor.name, visitor.team, visitor.role) == ("ada", "web", Role.LEAD)
    assert visitor.identity.subject == "1"
    without = admitted({**ADA, "groups": []}, rules)
    assert (without.team, without.role) == (None, Role.USER)
    assert admitted(ADA, config()).role is None


@pytest.mark.parametrize("path", ["groups", "realm_access.roles", "a.b"])
def test_groups_are_found_where_the_provider_has_them(path: str) -> None:
    assert admitted(ADA, config(groups_claim=path, teams={"web": "w"})).team == "w"


@pytest.mark.parametrize("path", ["none", "realm_access", "email.x", "realm_access.none.x"])
def test_groups_that_are_not_there_give_nothing(path: str) -> None:
    assert admitted(ADA, config(groups_claim=path, teams={"web": "w"})).team is None


@pytest.mark.parametrize(
    ("fields", "claims", "is_admitted"),
    [
        ({"allowed_domains": ("example.com",)}, {}, True),
        ({"allowed_domains": ("EXAMPLE.com",)}, {}, True),
        ({"allowed_domains": ("ample.com",)}, {}, False),
        ({"allowed_domains": ("example.com",)}, {"email": "a@example.com.evil.org"}, False),
        ({"allowed_domains": ("example.com",)}, {"email": "example.com"}, False),
        ({"allowed_domains": ("example.com",)}, {"email_verified": False}, False),
        ({"allowed_domains": (), "allowed_groups": ("staff",)}, {}, True),
        ({"allowed_domains": (), "allowed_groups": ("admins",)}, {}, False),
        ({"allowed_domains": ("x.org",), "allowed_groups": ("staff",)}, {}, True),
        ({}, {"email": None}, False),
        ({"person_claim": "preferred_username"}, {"email": None}, True),
        ({"person_claim": "preferred_username"}, {"preferred_username": "<b>"}, False),
        ({"person_claim": "preferred_username"}, {"preferred_username": 7}, False),
    ],
)
def test_who_may_sign_in(fields: dict[str, Any], claims: dict[str, Any], is_admitted: bool) -> None:
    if is_admitted:
        assert admitted({**ADA, **claims}, config(**fields)).identity.subject == "1"
    else:
        with pytest.raises(SignInRefused):
            admitted({**ADA, **claims}, config(**fields))

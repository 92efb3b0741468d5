"""`cato person create|set|link|list`: people, their teams, roles and accounts."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from cato_backend.commands.arguments import Parser, one_of
from cato_backend.commands.team_files import (
    Records,
    add_actions,
    add_limits,
    add_listing,
    add_store_options,
    changed_limits,
    run_action,
    show,
    weight,
)
from cato_backend.config import load_config
from cato_backend.errors import TeamError
from cato_backend.team.identities import Identity, link
from cato_backend.team.records import Person, Role

SUMMARY = "create, change and list people: their teams, roles and limits"
_EXAMPLES = """
roles
  user     sees and makes their own tokens
  lead     those of their team
  admin    all

examples
  a new person                    cato person create ada --team web
  a lead                          cato person set ada --role lead
  at most 60 requests a minute    cato person set ada --requests-per-minute 60
  then a token                    cato token create laptop --person ada
  let an account sign in as her   cato person link ada --subject SUBJECT
"""

run = run_action


def configure(parser: Parser) -> None:
    """Add the actions."""
    actions = add_actions(parser, _EXAMPLES)
    for name, text, action in (
        ("create", "add a person to a team", _create),
        ("set", "change a person; what is not named stays as it is", _set),
    ):
        changing = actions.add_parser(name, help=text)
        changing.add_argument("name", help="name of the person")
        changing.add_argument(
            "--team", required=name == "create", metavar="NAME", help="team of the person"
        )
        changing.add_argument(
            "--role",
            type=one_of(Role),
            choices=list(Role),
            help="role, which includes the rights of the roles before it",
        )
        changing.add_argument(
            "--weight",
            type=weight,
            metavar="W",
            help="weight of the person's share of the team's part",
        )
        add_limits(changing)
        add_store_options(changing)
        changing.set_defaults(action=action)
    linking = actions.add_parser("link", help="let an account of a provider sign in as a person")
    linking.add_argument("name", help="name of the person")
    linking.add_argument("--subject", required=True, help="subject of the account at the provider")
    linking.add_argument("--issuer", help="the provider (default: oidc.issuer of --config)")
    add_store_options(linking)
    linking.set_defaults(action=_link)
    add_listing(actions, "list people with their teams, roles and limits", _list)


def _create(arguments: argparse.Namespace, records: Records) -> None:
    person = _changed(Person(arguments.name.strip(), arguments.team), arguments)
    records.store.create_person(person)
    records.audit("person created", **asdict(person))
    print(f"added {person.name} to {person.team}; cato token create NAME --person {person.name!r}")


def _set(arguments: argparse.Namespace, records: Records) -> None:
    person = _changed(records.store.person(arguments.name), arguments)
    records.store.save_person(person)
    records.audit("person changed", **asdict(person))
    _show([person], as_json=False)


def _link(arguments: argparse.Namespace, records: Records) -> None:
    """Raise ConfigError, TeamError."""
    issuer = arguments.issuer or load_config(arguments.config, {}).oidc.issuer
    if not issuer:
        raise TeamError(
            "issuer", "issuer: no provider is given; name it, or a --config with oidc.issuer"
        )
    person = records.store.person(arguments.name)
    identity = Identity.of(issuer, arguments.subject)
    link(records.store, identity, person.name)
    records.audit("person linked", person=person.name, **asdict(identity))
    print(f"{identity.subject} of {identity.issuer} signs in as {person.name}")


def _changed(person: Person, arguments: argparse.Namespace) -> Person:
    return Person(
        person.name,
        arguments.team or person.team,
        arguments.role or person.role,
        arguments.weight or person.weight,
        changed_limits(person.limits, arguments),
    )


def _list(arguments: argparse.Namespace, records: Records) -> None:
    _show(records.store.people(), as_json=arguments.json)


def _show(people: list[Person], *, as_json: bool) -> None:
    rows = [
        {
            "name": person.name,
            "team": person.team,
            "role": person.role.value,
            "weight": person.weight,
            **asdict(person.limits),
        }
        for person in people
    ]
    show(
        rows,
        as_json=as_json,
        nothing="there is no person yet; add one: cato person create NAME --team TEAM",
    )

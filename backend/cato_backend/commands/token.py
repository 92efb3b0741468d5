"""`cato token create|list|revoke`: the tokens with which people use the server."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from cato_backend.commands.arguments import Parser, one_of
from cato_backend.commands.team_files import (
    Records,
    add_actions,
    add_store_options,
    run_action,
    show,
)
from cato_backend.errors import TeamError
from cato_backend.team.records import (
    AccessToken,
    Person,
    Role,
    checked_name,
    iso_time,
    parse_expiry,
)
from cato_backend.team.store import TeamStore

SUMMARY = "create, list and revoke the tokens with which people use the server"
_EXAMPLES = """
examples
  a team, and its first token     cato team create web
                                  cato token create laptop --person ada --team web
  one that expires                cato token create ci --person ada --expires 90d
  who has which                   cato token list
  make one invalid, at once       cato token revoke laptop
  all of one person, at once      cato token revoke --person ada

A running server knows of each change within a second.
"""
_USE = """
This is shown once; the store keeps only a hash:

  {secret}

  VS Code   the command "CATO: Set Backend Token", with the setting cato.backend.url
  Neovim    export CATO_BACKEND_TOKEN={secret}
            (or from a file that only you can read: docs/neovim.md)
  curl      curl URL/v1/models -H 'Authorization: Bearer {secret}'
"""

run = run_action


def configure(parser: Parser) -> None:
    """Add the actions."""
    actions = add_actions(parser, _EXAMPLES)
    creating = actions.add_parser("create", help="make a token and print it, once")
    creating.add_argument("name", help="name of the token, such as laptop")
    creating.add_argument("--person", required=True, metavar="NAME", help="owner of the token")
    creating.add_argument("--team", metavar="NAME", help="team of the person, where they are new")
    creating.add_argument(
        "--role",
        type=one_of(Role),
        choices=list(Role),
        help="role of the person, where they are new (default: user)",
    )
    creating.add_argument(
        "--expires", metavar="TIME", help="such as 90d, 12h or 2027-01-31 (default: never)"
    )
    creating.set_defaults(action=_create)
    listing = actions.add_parser("list", help="list tokens by their first characters")
    listing.add_argument("--person", metavar="NAME", help="only the tokens of this person")
    listing.add_argument("--team", metavar="NAME", help="only the tokens of this team")
    listing.add_argument("--json", action="store_true", help="as JSON")
    listing.set_defaults(action=_list)
    revoking = actions.add_parser("revoke", help="revoke tokens permanently")
    revoking.add_argument(
        "token", nargs="?", help="id or name of the token, or the beginning of its id or secret"
    )
    revoking.add_argument(
        "--person",
        metavar="NAME",
        help="owner of the token; without TOKEN, all tokens of the person are revoked",
    )
    revoking.set_defaults(action=_revoke)
    for each in (creating, listing, revoking):
        add_store_options(each)


def _create(arguments: argparse.Namespace, records: Records) -> None:
    expires = parse_expiry(arguments.expires, time.time()) if arguments.expires else None
    checked_name("name", arguments.name)
    _ensure_owner(arguments, records)
    secret, token = records.store.create_token(arguments.name, arguments.person, expires)
    records.audit("token created", token=token.id, name=token.name, person=token.person)
    until = f"until {iso_time(expires)}" if expires else "without an end"
    print(f"{token.id}  {token.name}  for {token.person} of {token.team}, {token.role}, {until}")
    print(_USE.format(secret=secret), end="")


def _ensure_owner(arguments: argparse.Namespace, records: Records) -> None:
    """Add the person where they are new and a team is named. Raises TeamError."""
    store, name = records.store, arguments.person
    known = {person.name: person for person in store.people()}
    if name not in known and arguments.team:
        person = Person(name, arguments.team, arguments.role or Role.USER)
        store.create_person(person)
        records.audit("person created", person=name, team=person.team, role=person.role)
        return
    person = store.person(name)
    for field in ("team", "role"):
        given, has = getattr(arguments, field), getattr(person, field)
        if given and given != has:
            raise TeamError(
                field,
                f"{field}: {name} has {has}, got {given}; change it: cato person set {name}"
                f" --{field} {given}",
            )


def _list(arguments: argparse.Namespace, records: Records) -> None:
    store = records.store
    if arguments.person:
        store.person(arguments.person)
    if arguments.team:
        store.team(arguments.team)
    rows = [_row(token) for token in store.tokens(arguments.person, arguments.team)]
    show(rows, as_json=arguments.json, nothing="no token yet; make one: cato token create --help")


def _row(token: AccessToken) -> dict[str, object]:
    return {
        "id": token.id,
        "name": token.name,
        "person": token.person,
        "team": token.team,
        "role": token.role.value,
        "starts": token.starts,
        "state": token.state(time.time()),
        "created": iso_time(token.created),
        "expires": iso_time(token.expires),
        "last_used": iso_time(token.last_used),
    }


def _revoke(arguments: argparse.Namespace, records: Records) -> None:
    for token in _revoked(arguments, records.store):
        records.audit("token revoked", token=token.id, name=token.name, person=token.person)
        print(f"revoked {token.id}  {token.name}  of {token.person}")


def _revoked(arguments: argparse.Namespace, store: TeamStore) -> Sequence[AccessToken]:
    """Revoke one token, or all of a person. Raises TeamError."""
    if arguments.token is not None:
        return [store.revoke(store.find_token(arguments.token, arguments.person).id)]
    if arguments.person is None:
        raise TeamError("token", "token: got nothing, expected a token, or --person NAME")
    revoked = store.revoke_all(arguments.person)
    if not revoked:
        print(f"{arguments.person} has no token that is not revoked", file=sys.stderr)
    return revoked

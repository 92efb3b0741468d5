"""`cato team create|set|list`: teams, their shares of the fleet and their budgets."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from cato_backend.commands.arguments import Parser, between
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
from cato_backend.team.records import Team

SUMMARY = "create, change and list teams: their shares of the fleet and their budgets"
_EXAMPLES = """
examples
  a team                          cato team create web
  twice the share of others       cato team set web --weight 2
  a budget for each day           cato team set web --output-tokens-per-day 2000000
  no budget any more              cato team set web --output-tokens-per-day none
  two teams, one repository       cato team set web --shared-context monorepo
                                  cato team set api --shared-context monorepo
"""

run = run_action


def configure(parser: Parser) -> None:
    """Add the actions."""
    actions = add_actions(parser, _EXAMPLES)
    for name, text, action in (
        ("create", "add a team", _create),
        ("set", "change a team; what is not named stays as it is", _set),
    ):
        changing = actions.add_parser(name, help=text)
        changing.add_argument("name", help="name of the team")
        _add_settings(changing)
        add_store_options(changing)
        changing.set_defaults(action=action, makes_store=name == "create")
    add_listing(actions, "list teams with their shares and limits", _list)


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--weight", type=weight, metavar="W", help="weight of the team's share of the fleet"
    )
    parser.add_argument(
        "--priority",
        type=between(-10, 10),
        metavar="N",
        help="from -10 to 10; requests of a higher priority are served first, whatever the shares",
    )
    parser.add_argument(
        "--shared-context",
        metavar="NAME",
        help="teams with the same name here share the prefix cache; '' for none",
    )
    add_limits(parser)


def _create(arguments: argparse.Namespace, records: Records) -> None:
    team = _changed(Team(arguments.name.strip()), arguments)
    records.store.create_team(team)
    records.audit("team created", **asdict(team))
    print(
        f"created the team {team.name}; add people: cato token create NAME --person PERSON"
        f" --team {team.name!r}"
    )


def _set(arguments: argparse.Namespace, records: Records) -> None:
    team = _changed(records.store.team(arguments.name), arguments)
    records.store.save_team(team)
    records.audit("team changed", **asdict(team))
    _show([team], as_json=False)


def _changed(team: Team, arguments: argparse.Namespace) -> Team:
    shared: str | None = arguments.shared_context
    return Team(
        team.name,
        arguments.weight or team.weight,
        team.priority if arguments.priority is None else arguments.priority,
        changed_limits(team.limits, arguments),
        team.shared_context if shared is None else shared.strip(),
    )


def _list(arguments: argparse.Namespace, records: Records) -> None:
    _show(records.store.teams(), as_json=arguments.json)


def _show(teams: list[Team], *, as_json: bool) -> None:
    rows = [
        {
            "name": team.name,
            "weight": team.weight,
            "priority": team.priority,
            "shared_context": team.shared_context,
            **asdict(team.limits),
        }
        for team in teams
    ]
    show(rows, as_json=as_json, nothing="no team yet; make one: cato team create NAME")

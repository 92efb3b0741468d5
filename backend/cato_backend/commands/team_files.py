"""The store of people and teams for commands, and the options for shares and limits."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from argparse import ArgumentTypeError
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from cato_backend.commands.arguments import Parser, above_zero, at_least
from cato_backend.config import TeamConfig, load_config
from cato_backend.errors import ConfigError
from cato_backend.team.audit import AuditLog, audit_file
from cato_backend.team.live import TeamSettings
from cato_backend.team.records import UsageLimits
from cato_backend.team.store import TeamStore
from cato_backend.team.terms import Isolation
from cato_backend.wire.state_files import state_dir

_NONE = "none"

_HEAVIEST = 1000.0


def store_path(configured: str) -> Path:
    """Return the file of the store, as it is configured or beside the server's other state."""
    if configured:
        return Path(configured).expanduser()
    return state_dir() / "team" / "team.sqlite3"


def team_settings(config: TeamConfig) -> TeamSettings:
    """Return the settings of people and teams for a server."""
    return TeamSettings(
        path=store_path(config.store),
        isolation=Isolation(config.isolation),
        refuses_over_budget=config.over_budget == "refuse",
        audit_max_bytes=config.audit_max_bytes,
    )


def add_store_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name the store: those of the server that it belongs to."""
    parser.set_defaults(makes_store=False)
    add = parser.add_argument
    add("--team-store", metavar="FILE", help="the store (default: that of this user's server)")
    add("--config", type=Path, metavar="FILE", help="cato.toml that names the store in [team]")


class Records:
    """The store, opened by a command. Changes are recorded in the audit log."""

    def __init__(self, store: TeamStore, audit: AuditLog) -> None:
        self.store = store
        self._audit = audit

    def audit(self, event: str, **what: object) -> None:
        """Record that the user of this machine changed something."""
        self._audit.changed(f"{getpass.getuser()} on the command line", event, **what)


Action: TypeAlias = Callable[[argparse.Namespace, Records], None]
"""What one of a command's actions does."""


@contextmanager
def _opened(arguments: argparse.Namespace) -> Generator[Records]:
    """Yield the store; `cato team create` makes one where there is none. Raises ConfigError."""
    config = load_config(arguments.config, {}).team
    path = store_path(arguments.team_store or config.store)
    if not arguments.makes_store and not path.exists():
        raise ConfigError(
            f"team.store: there is no {path}; `cato team create NAME` makes one, --team-store or"
            " --config names another"
        )
    store = TeamStore(path)
    try:
        yield Records(store, AuditLog(audit_file(path), config.audit_max_bytes))
    finally:
        store.close()


def add_actions(parser: Parser, examples: str) -> Any:
    """Return what actions are added to; `examples` stand below the help."""
    parser.formatter_class = _HelpWithExamples
    parser.epilog = examples
    return parser.add_subparsers(title="actions", metavar="ACTION", required=True)


def add_listing(actions: Any, text: str, action: Action) -> None:
    """Add the action `list`; `text`: its help."""
    listing = actions.add_parser("list", help=text)
    listing.add_argument("--json", action="store_true", help="as JSON")
    add_store_options(listing)
    listing.set_defaults(action=action)


def run_action(arguments: argparse.Namespace) -> int:
    """Run the chosen action. Raises ConfigError, TeamError."""
    action: Action = arguments.action
    with _opened(arguments) as records:
        action(arguments, records)
    return 0


class _HelpWithExamples(argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of the examples."""


def show(rows: Sequence[dict[str, Any]], *, as_json: bool, nothing: str) -> None:
    """Print a table, or JSON. `nothing`: what is said where there is no row."""
    if as_json:
        print(json.dumps(rows, indent=2))
    elif not rows:
        print(nothing, file=sys.stderr)
    else:
        lines = [list(rows[0]), *([_cell(value) for value in row.values()] for row in rows)]
        print("\n".join(_aligned(lines)))


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return "-" if value in (None, "") else str(value)


def _aligned(lines: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        yield "  ".join(cells).rstrip()


_LIMITS: dict[str, tuple[Callable[[str], float], str]] = {
    "requests_per_minute": (at_least(1), "requests in any 60 seconds"),
    "concurrent_requests": (at_least(1), "requests at once"),
    "output_tokens_per_day": (at_least(1), "output tokens a day, UTC"),
    "engine_seconds_per_day": (above_zero, "seconds of an engine a day, UTC"),
}


def weight(text: str) -> float:
    """Return the type of a weight."""
    value = above_zero(text)
    if not 1 / _HEAVIEST <= value <= _HEAVIEST:
        raise ArgumentTypeError(f"got {text}, expected a weight from 0.001 to 1000")
    return value


def add_limits(parser: argparse.ArgumentParser) -> None:
    """Add one option for each limit."""
    for name, (kind, text) in _LIMITS.items():
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=_or_none(kind),
            metavar="N",
            help=f"limit of {text}; 'none' for no limit",
        )


def changed_limits(limits: UsageLimits, arguments: argparse.Namespace) -> UsageLimits:
    """Return the limits with those that were given."""
    given = {name: getattr(arguments, name) for name in _LIMITS}
    changes = {name: value for name, value in given.items() if value is not None}
    return replace(limits, **{n: None if v == _NONE else v for n, v in changes.items()})


def _or_none(kind: Callable[[str], float]) -> Callable[[str], float | str]:
    return lambda text: _NONE if text == _NONE else kind(text)

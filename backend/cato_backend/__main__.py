"""`cato NAME ...`: loads the subcommand NAME from the entry-point group `cato.commands`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Protocol

from cato_backend import __version__
from cato_backend.errors import CatoError
from cato_backend.extras import remedy

GROUP = "cato.commands"


class Command(Protocol):
    """What an entry point of the group names: a module with these three."""

    SUMMARY: str

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Adds the subcommand's own arguments."""
        ...

    def run(self, arguments: argparse.Namespace) -> int:
        """Runs it and returns the exit status. Raises CatoError for what the person can mend."""
        ...


def main(argv: Sequence[str] | None = None) -> int:
    """The `cato` command: returns the exit status."""
    argv = sys.argv[1:] if argv is None else list(argv)
    names = {point.name: point for point in entry_points(group=GROUP)}
    if not argv or argv[0] not in names:
        return _overview(argv)
    try:
        command: Command = names[argv[0]].load()
    except ModuleNotFoundError as error:
        sys.stderr.write(f"cato {argv[0]}: {_unavailable(error)}\n")
        return 1
    return _run(argv[0], command, argv[1:])


def _run(name: str, command: Command, argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog=f"cato {name}",
        description=command.SUMMARY,
        formatter_class=_HelpFormatter,
    )
    command.configure(parser)
    try:
        return command.run(parser.parse_args(argv))
    except ModuleNotFoundError as error:
        missing = remedy(error)
        if missing is None:
            raise
        sys.stderr.write(f"cato {name}: {missing}\n")
        return 1
    except CatoError as error:
        sys.stderr.write(f"cato {name}: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Shows defaults that say something; None and False do not."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        says_nothing = action.default is None or action.default is False
        return action.help if says_nothing else super()._get_help_string(action)


def _overview(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="cato", description=__doc__)
    parser.add_argument("--version", action="version", version=f"cato {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="NAME", required=True)
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        commands.add_parser(point.name, help=_summary(point), add_help=False)
    parser.parse_args(argv or ["--help"])
    return 0


def _summary(point: EntryPoint) -> str:
    try:
        command: Command = point.load()
    except ModuleNotFoundError as error:
        return _unavailable(error)
    return command.SUMMARY


def _unavailable(error: ModuleNotFoundError) -> str:
    """The backend needs Linux; on other systems the editor's side works all the same."""
    return remedy(error) or f"not available on this system ({error.name} is missing)"


if __name__ == "__main__":
    sys.exit(main())

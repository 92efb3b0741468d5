"""`cato replay`: sends the events of a log to a new scheduler and compares its decisions."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cato_backend.commands.arguments import Parser
from cato_backend.errors import ConfigError

if TYPE_CHECKING:
    from cato_backend.scheduling.replaying import Difference

SUMMARY = "replay an event log of `cato serve`, and compare the decisions"


def configure(parser: Parser) -> None:
    """Add its arguments."""
    parser.description = (
        "Deciding is deterministic: the same events make a scheduler of the same policy decide the "
        "same. Exit status 0 if it does, 1 where a decision differs (another version, or a defect)."
    )
    parser.add_argument(
        "log", type=Path, help="what `cato serve --event-log` wrote; FILE.1 is found beside it"
    )


def run(arguments: argparse.Namespace) -> int:
    """Replay and tell."""
    from cato_backend.scheduling.replaying import replay

    replayed = replay([_lines(path) for path in _parts(arguments.log)])
    print(
        f"{replayed.events} events and {replayed.decisions} decisions in {replayed.seconds:.1f} s "
        f"of the policy {replayed.opening.policy}"
    )
    if replayed.difference is None:
        print("the same decisions")
        return 0
    print(_told(replayed.difference))
    return 1


def _parts(path: Path) -> list[Path]:
    """Return the file, and the one before it where it begins in the middle of a run."""
    from cato_backend.scheduling.journal import decode_opening

    opening = decode_opening(next(iter(_lines(path)), b""))
    earlier = path.with_name(f"{path.name}.1")
    return [earlier, path] if opening.part == 2 and earlier.exists() else [path]


def _lines(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().splitlines(keepends=True)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error


def _told(difference: Difference) -> str:
    entry = difference.entry
    then, now = (", ".join(map(str, d)) or "nothing" for d in (entry.decisions, difference.decided))
    return (
        f"other decisions on event {difference.number} ({type(entry.event).__name__} at "
        f"{entry.t:.6f} s):\n  then: {then}\n  now:  {now}"
    )

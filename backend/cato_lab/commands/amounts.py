"""Common arguments of `cato simulate` and `cato load`: loads, durations, seeds, output files.

See `workloads` for the workload itself.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from cato_backend.commands.arguments import Parser
from cato_backend.errors import ConfigError

if TYPE_CHECKING:
    from cato_backend.profile_files.profile import Profile

_Add: TypeAlias = Callable[..., argparse.Action]
"""`add_argument` of a group."""


def add_amount_arguments(parser: Parser, title: str, *, several: bool) -> _Add:
    """Add how much load there is and for how long; `several`: each amount may be a list.

    Returns what adds more arguments to their group.
    """
    group = parser.add_argument_group(title)
    rates = ("--rate", "--rates") if several else ("--rate",)
    group.add_argument(
        *rates,
        dest="rates" if several else "rate",
        type=str if several else float,
        metavar="N,..." if several else "N",
        help="mix, trace: requests per second (default: 20)",
    )
    group.add_argument(
        "--developers",
        type=str if several else int,
        default=None if several else 20,
        metavar="N,..." if several else "N",
        help=f"typing: number of developers (default: {40 if several else 20})",
    )
    group.add_argument(
        "--duration",
        type=float,
        default=60.0,
        metavar="S",
        help="duration of the arrivals, in seconds",
    )
    group.add_argument(
        "--warmup", type=float, default=0.0, metavar="S", help="first seconds, not scored"
    )
    parser.restrict("only with --workload mix or trace", lambda given: not _types(given), *rates)
    parser.restrict("only with --workload typing", _types, "--developers")
    return group.add_argument


def add_output_arguments(
    parser: Parser, path: Callable[[str], Path], metavar: str, text: str
) -> _Add:
    """Add where the results go, and progress. Returns what adds more to their group."""
    group = parser.add_argument_group("output")
    group.add_argument("--out", type=path, metavar=metavar, help=text)
    group.add_argument(
        "--progress", action="store_true", help="show progress on stderr, even to a file"
    )
    return group.add_argument


def check_warmup(arguments: argparse.Namespace) -> None:
    """Raise ConfigError where nothing would be scored."""
    if not 0 <= arguments.warmup < arguments.duration:
        raise ConfigError.of("--warmup", arguments.warmup, "seconds from 0 to less than --duration")


def profile_of(text: str | None) -> Profile:
    """Return the profile in a file, or of a `HARDWARE/MODEL`; the reference one for None.

    Raises ConfigError.
    """
    from cato_backend.profile_files.files import find_profile, load_profile
    from cato_lab.simulation.fleet import REFERENCE

    if text is None:
        return REFERENCE
    if Path(text).is_file():
        return load_profile(Path(text))
    hardware, _, model = text.partition("/")
    found = find_profile(hardware, model) if model else None
    if found is None:
        expected = "a profile's file, or HARDWARE/MODEL of a known one"
        raise ConfigError.of("--profile", text, expected)
    return found


def _types(arguments: argparse.Namespace) -> bool:
    typing: bool = arguments.workload == "typing"
    return typing

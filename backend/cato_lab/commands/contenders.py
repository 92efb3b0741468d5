"""Arguments for the policies of a study and their options."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING

from cato_backend.commands.arguments import Parser
from cato_backend.errors import ConfigError
from cato_backend.wire.headers import TASKS_OF_PEOPLE

if TYPE_CHECKING:
    from cato_lab.simulation.study import Contender

_SPLIT = "per-task"
_TASKS = ", ".join(TASKS_OF_PEOPLE)
_OURS = "cato"


def add_contender_arguments(parser: Parser) -> None:
    """Add the arguments that `contenders_of` reads."""
    group = parser.add_argument_group("policies")
    group.add_argument("--policy", default=_OURS, metavar="NAME,...", help="`all` takes every one")
    group.add_argument(
        "--ablate",
        default="",
        metavar="NAME,...",
        help="`cato` without each of these mechanisms, one at a time, beside the whole of it; "
        "`all` takes every one",
    )
    group.add_argument(
        "--oracle",
        action="store_true",
        help="the reference bound too: `cato` told true lengths, and never asked what is taken "
        "back before its deadline",
    )
    group.add_argument(
        "--split",
        action="append",
        default=[],
        metavar="N,N,N,N",
        help=f"`{_SPLIT}` with the replicas of {_TASKS}; `all`: every split of --replicas",
    )


def contenders_of(arguments: argparse.Namespace) -> list[Contender]:
    """Return what is to be compared, each once. Raises ConfigError naming the argument."""
    from cato_lab.simulation.study import Contender

    found = [Contender(name) for name in _policies(arguments.policy)]
    if arguments.ablate:
        found.append(Contender(_OURS))
        found += [Contender(_OURS, without=(name,)) for name in _mechanisms(arguments.ablate)]
    if arguments.oracle:
        found.append(Contender(_OURS, oracle=True))
    for text in arguments.split:
        found += [Contender(_SPLIT, split=of) for of in _splits(text, arguments.replicas)]
    return list(dict.fromkeys(found))


def _policies(text: str) -> list[str]:
    from cato_backend.scheduling import policy_names

    return _named("--policy", text, policy_names())


def _mechanisms(text: str) -> list[str]:
    from cato_backend.scheduling.policies import MECHANISMS

    return _named("--ablate", text, list(MECHANISMS))


def _named(argument: str, text: str, known: list[str]) -> list[str]:
    if text == "all":
        return known
    names = text.split(",")
    for name in names:
        if name not in known:
            raise ConfigError.of(argument, name, f"all, or some of {', '.join(known)}")
    return names


def _splits(text: str, replicas: int) -> Iterator[tuple[int, ...]]:
    if text == "all":
        yield from every_split(replicas, len(TASKS_OF_PEOPLE))
        return
    parts = text.split(",")
    counts = tuple(int(part) for part in parts if part.isdecimal())
    if len(counts) != len(parts) or len(counts) != len(TASKS_OF_PEOPLE) or sum(counts) != replicas:
        expected = f"all, or {len(TASKS_OF_PEOPLE)} counts that make {replicas}: {_TASKS}"
        raise ConfigError.of("--split", text, expected)
    yield counts


def every_split(replicas: int, parts: int) -> Iterator[tuple[int, ...]]:
    """Yield every way to give each part at least one."""
    for cuts in combinations(range(1, replicas), parts - 1):
        ends = (0, *cuts, replicas)
        yield tuple(ends[i + 1] - ends[i] for i in range(parts))

"""The arguments that `cato simulate` and `cato load` have in common: which workload."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cato_backend.commands.arguments import Parser
from cato_backend.errors import ConfigError

if TYPE_CHECKING:
    from cato_backend.wire.headers import Task
    from cato_lab.workloads import ArrivalProcess, Workload

_ARRIVALS = "poisson, gamma:CV, mmpp, day or trace"
_DEFAULT_RATE = 20.0


def add_workload_arguments(parser: Parser) -> None:
    """Add them, in a group of their own."""
    group = parser.add_argument_group(
        "workload",
        "mix: completion, generation, summarization and translation at once, not cancelled. "
        "typing: developers whose next key cancels a completion. trace: a recorded trace.",
    )
    group.add_argument("--workload", choices=["mix", "typing", "trace"], default="mix")
    group.add_argument(
        "--arrivals",
        default="poisson",
        metavar="PROCESS",
        help=f"mix: arrival process: {_ARRIVALS}",
    )
    group.add_argument(
        "--shares",
        default="",
        metavar="TASK=N,...",
        help="mix: relative frequency of each task",
    )
    group.add_argument(
        "--trace",
        type=Path,
        metavar="FILE",
        help="Azure's CSV (TIMESTAMP,ContextTokens,GeneratedTokens) or Mooncake's .jsonl",
    )
    group.add_argument(
        "--sessions", type=int, default=60, metavar="N", help="mix, trace: number of people"
    )
    group.add_argument(
        "--debounce-ms", type=float, default=75, metavar="MS", help="typing: pause before a request"
    )
    group.add_argument("--breaks", action="store_true", help="typing: people take breaks")
    group.add_argument(
        "--context",
        choices=["rich", "lean"],
        help="prompts of completions: 2,000 tokens or 250; default: lean in the mix, else rich",
    )
    group.add_argument(
        "--whole-files",
        action="store_true",
        help="mix: include summaries and translations of whole files",
    )
    group.add_argument(
        "--repeat",
        type=float,
        default=0.85,
        metavar="SHARE",
        help="share of completions that repeat the last one's document, changed at its end",
    )
    group.add_argument(
        "--suffix-share",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="share of a repeated prompt behind the cursor, sent again; 0: suffix-first prompts",
    )
    _restrict(parser)


def _restrict(parser: Parser) -> None:
    """Options that only some workloads use."""
    parser.restrict(
        "only with --workload mix",
        lambda given: given.workload == "mix",
        *("--arrivals", "--shares", "--whole-files"),
    )
    parser.restrict(
        "only with --workload typing",
        lambda given: given.workload == "typing",
        *("--debounce-ms", "--breaks"),
    )
    parser.restrict(
        "only with --workload mix or trace",
        lambda given: given.workload != "typing",
        "--sessions",
    )
    parser.restrict(
        "only with --workload mix or typing",
        lambda given: given.workload != "trace",
        *("--context", "--repeat", "--suffix-share"),
    )
    parser.restrict(
        "only with --workload trace or --arrivals trace",
        lambda given: "trace" in (given.workload, given.arrivals),
        "--trace",
    )


def workload_of(
    arguments: argparse.Namespace, duration_s: float, load: float | None = None
) -> Workload:
    """Return the workload at this load: requests per second, or developers where they type.

    Raises ConfigError naming the argument.
    """
    from cato_lab.workloads import (
        DeveloperWorkload,
        MixWorkload,
        TraceWorkload,
        load_trace,
    )
    from cato_lab.workloads.lengths import Context

    _check(arguments, duration_s, load)
    mixed = arguments.workload == "mix"
    completions: dict[str, Any] = {
        "context": Context(arguments.context or ("lean" if mixed else "rich")),
        "repeat": arguments.repeat,
        "suffix_share": arguments.suffix_share,
    }
    match arguments.workload:
        case "typing":
            return DeveloperWorkload(
                developers=round(load or 1),
                duration_s=duration_s,
                debounce_s=arguments.debounce_ms / 1e3,
                sessions=arguments.breaks,
                **completions,
            )
        case "trace":
            rows = load_trace(_trace(arguments))
            return TraceWorkload(rows, load or _DEFAULT_RATE, duration_s, arguments.sessions)
        case _:
            return MixWorkload(
                _process(arguments, load or _DEFAULT_RATE),
                duration_s,
                _shares(arguments.shares),
                arguments.sessions,
                whole_files=arguments.whole_files,
                **completions,
            )


def _check(arguments: argparse.Namespace, duration_s: float, load: float | None) -> None:
    checks = (
        ("--duration", duration_s, duration_s > 0, "seconds above 0"),
        ("--rates or --developers", load, load is None or load > 0, "a number above 0"),
        ("--sessions", arguments.sessions, arguments.sessions >= 1, "at least 1"),
        ("--debounce-ms", arguments.debounce_ms, arguments.debounce_ms >= 0, "at least 0"),
        ("--repeat", arguments.repeat, 0 <= arguments.repeat <= 1, "a share from 0 to 1"),
        (
            "--suffix-share",
            arguments.suffix_share,
            0 <= arguments.suffix_share <= 1,
            "a share from 0 to 1",
        ),
    )
    for name, got, fits, expected in checks:
        if not fits:
            raise ConfigError.of(name, got, expected)


def _process(arguments: argparse.Namespace, rate: float) -> ArrivalProcess:
    from cato_lab.workloads import (
        DayCurve,
        Gamma,
        Mmpp,
        Poisson,
        TraceTimes,
        load_trace,
    )

    kind, _, value = arguments.arrivals.partition(":")
    match kind, value:
        case "poisson", "":
            return Poisson(rate)
        case "mmpp", "":
            return Mmpp(rate)
        case "day", "":
            return DayCurve(rate)
        case "trace", "":
            rows = load_trace(_trace(arguments))
            return TraceTimes(tuple(row.time for row in rows), rate)
        case "gamma", _ if (cv := positive("--arrivals gamma", value)) <= 100:
            return Gamma(rate, cv)
        case _:
            raise ConfigError.of("--arrivals", arguments.arrivals, f"one of {_ARRIVALS}")


def _shares(text: str) -> dict[Task, float]:
    from cato_backend.wire.headers import Task
    from cato_lab.workloads.mix import DEFAULT_SHARES

    if not text:
        return dict(DEFAULT_SHARES)
    shares: dict[Task, float] = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        if name not in set(Task):
            raise ConfigError.of("--shares", name, f"TASK=N with TASK one of {', '.join(Task)}")
        shares[Task(name)] = positive(f"--shares {name}", value)
    return shares


def _trace(arguments: argparse.Namespace) -> Path:
    if arguments.trace is None:
        raise ConfigError("--trace: got nothing, expected the file to replay")
    path: Path = arguments.trace
    return path


def positive(name: str, text: str) -> float:
    """Return a number above 0. Raises ConfigError naming the argument."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ConfigError.of(name, text, "a number above 0")
    return value

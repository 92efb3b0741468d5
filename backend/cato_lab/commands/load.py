"""`cato load`: a workload against a live OpenAI-compatible server, in real time."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cato_backend.commands.arguments import Parser, at_least, not_negative, output_file
from cato_lab.commands.amounts import (
    add_amount_arguments,
    add_output_arguments,
    check_warmup,
    profile_of,
)
from cato_lab.commands.workloads import add_workload_arguments, workload_of

if TYPE_CHECKING:
    from cato_lab.load_test import LoadRun
    from cato_lab.scoring.scores import Score

SUMMARY = "put a workload on a live OpenAI-compatible server, in real time, and score it"

_EPILOG = (
    "Examples: cato load --url http://localhost:8700 --rate 20 | the same with --arrivals gamma:5, "
    "for bursts | --workload typing --developers 40 | --workload trace --trace azure.csv --rate 8. "
    "A server that is not CATO: --headers none. Answers are as long as the workload says only "
    "where the server obeys ignore_eos, as vLLM does."
)
VOID = " (VOID: the client was late itself)"
_VOID_STATUS = 3
_LATEST_P99_S = 0.005
_EVERY_S = 0.5


def configure(parser: Parser) -> None:
    """Add its arguments."""
    parser.epilog = _EPILOG
    parser.description = (
        "Requests leave at their own times, however slow the server is (open loop). The score is "
        "that of `cato simulate`: goodput is the share of requests that met their target, over all "
        "that were still wanted at their deadline. A client that was late itself (P99 above 5 ms) "
        "measured itself: the run is void, and the exit status is 3."
    )
    server = parser.add_argument_group("server")
    server.add_argument(
        "--url", required=True, help="URL of the server, such as http://localhost:8700"
    )
    server.add_argument("--model", default="", help="model; default: the first listed one")
    server.add_argument("--token", default="", help="bearer token")
    server.add_argument(
        "--headers",
        choices=["cato", "none", "priority"],
        default="cato",
        help="how the class is sent: CATO's headers, none, or vLLM's body field `priority`",
    )
    server.add_argument(
        "--lengths",
        choices=["exact", "announced"],
        default="exact",
        help="how answers get their lengths: by max_tokens and ignore_eos, or by the last "
        "words of the prompt, which `cato emulate` obeys, with max_tokens as editors send it",
    )
    add_workload_arguments(parser)
    add_amount = add_amount_arguments(parser, "amount", several=False)
    add_amount(
        "--drain",
        type=not_negative,
        default=60.0,
        metavar="S",
        help="longest wait for unfinished answers, in seconds",
    )
    add_amount("--seed", type=int, default=1, metavar="N", help="seed of the workload")
    add_amount(
        "--salt",
        default="",
        help="runs with the same salt share the prefix cache; default: a new salt for each run",
    )
    add_output = add_output_arguments(parser, output_file, "FILE", "write the score as JSON")
    add_output("--profile", metavar="FILE|NAME", help="profile of a replica, for utilization")
    add_output(
        "--replicas", type=at_least(1), default=1, metavar="N", help="number behind the server"
    )
    parser.restrict(
        "only with --profile", lambda arguments: arguments.profile is not None, "--replicas"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run it; 3 where the client itself was late."""
    import uvloop

    from cato_backend.config import server_url
    from cato_lab.load_test import HeaderStyle, Lengths, LoadOptions, Server, run_load
    from cato_lab.scoring.records import score_table

    check_warmup(arguments)
    typing = arguments.workload == "typing"
    load = float(arguments.developers) if typing else arguments.rate
    workload = workload_of(arguments, arguments.duration, load)
    style = HeaderStyle(arguments.headers)
    lengths = Lengths(arguments.lengths)
    url = server_url("--url", arguments.url)
    server = Server(url, arguments.model, arguments.token, style, lengths)
    options = LoadOptions(salt=arguments.salt, drain_s=arguments.drain)
    shown = arguments.progress or sys.stderr.isatty()
    progress = _Progress(arguments.duration) if shown else _silent
    result = uvloop.run(run_load(workload, arguments.seed, server, options, progress))
    if shown:
        sys.stderr.write("\n")
    score = _score(arguments, result)
    late = result.lateness
    print(score_table(score))
    print(
        f"client late by p50 {late.at(50) * 1e3:.2f} ms, p99 {late.at(99) * 1e3:.2f} ms, ", end=""
    )
    print(f"at most {result.latest_s * 1e3:.2f} ms{VOID if _is_void(result) else ''}")
    if arguments.out:
        arguments.out.write_text(json.dumps(_record(arguments, result, score), indent=2) + "\n")
    return _VOID_STATUS if _is_void(result) else 0


def _score(arguments: argparse.Namespace, result: LoadRun) -> Score:
    from cato_lab.scoring.scores import Capacity, score

    capacity = None
    if arguments.profile:
        profile = profile_of(arguments.profile)
        capacity = Capacity(arguments.replicas * arguments.duration, profile)
    return score(result.outcomes, arguments.duration, capacity, arguments.warmup)


def _is_void(result: LoadRun) -> bool:
    return result.lateness.at(99) > _LATEST_P99_S


def _record(arguments: argparse.Namespace, result: LoadRun, score: Score) -> dict[str, Any]:
    from cato_lab.scoring.records import latencies_record, score_record

    kept = {k: str(v) if isinstance(v, Path) else v for k, v in vars(arguments).items()}
    kept["token"] = "given" if kept["token"] else ""
    lateness = {**latencies_record(result.lateness), "latest": result.latest_s}
    return {
        "arguments": kept,
        "client_lateness_s": lateness,
        "void": _is_void(result),
        "score": score_record(score),
    }


def _silent(now: float, sent: int, in_flight: int) -> None:
    """No progress was asked for."""


class _Progress:
    """A progress line on stderr, updated at most twice a second."""

    def __init__(self, duration_s: float) -> None:
        self._duration_s, self._next = duration_s, 0.0

    def __call__(self, now: float, sent: int, in_flight: int) -> None:
        if now >= self._next:
            self._next = now + _EVERY_S
            line = f"{now:6.1f} of {self._duration_s:.0f} s: {sent} sent, {in_flight} open"
            sys.stderr.write(f"\r{line:<60}")
            sys.stderr.flush()

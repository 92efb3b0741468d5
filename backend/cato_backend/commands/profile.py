"""`cato profile`: measures how long the steps of a replica take, and writes its latency profile."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cato_backend.commands.arguments import (
    Parser,
    at_least,
    not_negative,
    output_file,
    output_file_of,
)
from cato_backend.commands.profile_from import export
from cato_backend.commands.profile_subject import subject_of, token_in

if TYPE_CHECKING:
    from cato_backend.profile_files.document import Provenance
    from cato_backend.profiling.campaign import CampaignProgress
    from cato_backend.profiling.profile import Outcome, Subject

SUMMARY = "measure a replica's step times and write its latency profile"
_MAX_NUM_SEQS = 64
"""What `cato serve` starts its replicas with."""
_MAX_NUM_BATCHED_TOKENS = 2048
"""vLLM's default on CPUs, and on GPUs with less than 70 GiB."""


def configure(parser: Parser) -> None:
    """Add the arguments."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--url", help="a running vLLM server without other clients")
    which.add_argument(
        "--model", metavar="PATH", help='start one: "embedded", a folder, or a hub name'
    )
    which.add_argument(
        "--from-backend",
        metavar="URL",
        help="export what a running `cato serve` has learned of a replica, without a measurement",
    )
    parser.add_argument(
        "--replica",
        metavar="ID",
        help="with --from-backend: id of the replica, where there are several",
    )
    parser.add_argument(
        "--served-model",
        default="",
        metavar="NAME",
        help="with --url: name of the model, where there are several",
    )
    parser.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="with --url, --from-backend: file with the bearer token",
    )
    parser.add_argument(
        "--engine-pid",
        type=int,
        metavar="PID",
        help="with --url: PID of the engine on this machine, to subtract its waits for a CPU core",
    )
    parser.add_argument(
        "--hardware",
        metavar="NAME",
        help="folder name of the profile (default: the name of this machine's hardware)",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="measure a smaller grid: half a minute instead of minutes",
    )
    parser.add_argument(
        "--out",
        type=output_file,
        metavar="FILE",
        help="file of the profile (default: in your folder of profiles)",
    )
    parser.add_argument(
        "--plot",
        type=output_file_of(".svg", ".png", ".pdf"),
        metavar="FILE",
        help="plot of predicted against measured times, as svg, png or pdf",
    )
    parser.add_argument(
        "--samples", type=output_file, metavar="FILE", help="file for all measured steps, as JSON"
    )
    parser.add_argument(
        "--max-num-seqs",
        type=at_least(1),
        default=_MAX_NUM_SEQS,
        metavar="N",
        help="must match the engine's own setting, which cannot be read over HTTP",
    )
    parser.add_argument(
        "--max-num-batched-tokens",
        type=at_least(1),
        default=_MAX_NUM_BATCHED_TOKENS,
        metavar="N",
        help="must match the engine's own setting, which cannot be read over HTTP",
    )
    parser.add_argument(
        "--long-prefill-token-threshold",
        type=at_least(0),
        default=0,
        metavar="N",
        help="with --url: must match the engine's own setting, which cannot be read over HTTP",
    )
    parser.add_argument(
        "--start-s",
        type=not_negative,
        default=60.0,
        metavar="S",
        help="with --url: seconds from launch to ready",
    )
    parser.add_argument(
        "--rounds",
        type=at_least(1),
        metavar="N",
        help="number of rounds of measurements (default: 7, with --quick 3)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="seed of the random prompts"
    )
    _restrict(parser)


def _restrict(parser: Parser) -> None:
    """Options that only some ways of profiling use."""
    parser.restrict(
        "only with --url",
        lambda arguments: arguments.url is not None,
        *("--served-model", "--engine-pid", "--start-s", "--long-prefill-token-threshold"),
    )
    parser.restrict("not with --model", lambda arguments: arguments.model is None, "--token-file")
    parser.restrict(
        "only with --from-backend",
        lambda arguments: arguments.from_backend is not None,
        "--replica",
    )
    parser.restrict(
        "not with --from-backend, which measures nothing",
        lambda arguments: arguments.from_backend is None,
        *("--quick", "--plot", "--samples", "--rounds", "--seed"),
        *("--max-num-seqs", "--max-num-batched-tokens"),
    )


def run(arguments: argparse.Namespace) -> int:
    """Profiles, prints the table, writes the files."""
    if arguments.from_backend:
        return export(arguments, token_in(arguments.token_file))
    import asyncio

    from cato_backend.profile_files.files import path_in, save_profile, user_folder
    from cato_backend.profiling.campaign import save_samples
    from cato_backend.profiling.profile import profile_file
    from cato_backend.profiling.report import table

    subject, outcome = asyncio.run(_measured(arguments))
    _clear_line()
    for line in table(outcome.campaign, outcome.fit):
        print(line)
    path = arguments.out or path_in(user_folder(), subject.hardware, subject.model)
    save_profile(profile_file(subject, outcome, _made(arguments)), path)
    print(f"written: {path}")
    if arguments.samples:
        save_samples(outcome.campaign, arguments.samples)
    if arguments.plot:
        _plot(arguments.plot, subject, outcome)
    return 0


async def _measured(arguments: argparse.Namespace) -> tuple[Subject, Outcome]:
    import aiohttp

    from cato_backend.profiling.profile import run_profile
    from cato_backend.replicas.sockets import EngineConnector, socket_folder

    async with AsyncExitStack() as stack:
        sockets = stack.enter_context(socket_folder())
        # Without a limit: a batch opens a connection for each of its streams.
        connector = EngineConnector(sockets, limit=0)
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        subject = await stack.enter_async_context(subject_of(arguments, session, sockets))
        outcome = await run_profile(
            session,
            subject,
            _show,
            quick=arguments.quick,
            rounds=arguments.rounds,
            seed=arguments.seed,
        )
        return subject, outcome


def _made(arguments: argparse.Namespace) -> Provenance:
    from cato_backend import __version__
    from cato_backend.profile_files.document import Provenance

    grid = "a quick grid" if arguments.quick else "the full grid"
    today = datetime.now(UTC).date().isoformat()
    how = f"cato profile {__version__}, {grid}, load average {os.getloadavg()[0]:.1f} at the end"
    return Provenance(method="measured", how=how, date=today)


def _plot(path: Path, subject: Subject, outcome: Outcome) -> None:
    from cato_backend.profiling.report import save_plot

    save_plot(outcome.campaign, outcome.fit, f"{subject.model} on {subject.hardware}", path)
    print(f"written: {path}")


def _show(progress: CampaignProgress) -> None:
    text = (
        f"round {progress.round} of {progress.rounds}, {progress.done} of {progress.total} "
        f"settings, {progress.elapsed_s:.0f} s, about {progress.left_s:.0f} s left"
    )
    if sys.stderr.isatty():
        print(f"\r{text:70}", end="", file=sys.stderr, flush=True)
    elif progress.done % max(1, progress.total // 10) == 0:
        print(text, file=sys.stderr, flush=True)


def _clear_line() -> None:
    if sys.stderr.isatty():
        print(f"\r{'':70}\r", end="", file=sys.stderr)

"""`cato emulate`: an emulated vLLM replica."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cato_backend.commands.numbers import above_zero, at_least, not_negative, port, share
from cato_backend.commands.parser import Parser

if TYPE_CHECKING:
    from cato_backend.profile_files.profile import Profile
    from cato_lab.emulator import Emulator, EmulatorOptions
    from cato_lab.emulator.text import TextSource

EPILOG = (
    "An answer is as long as its request's max_tokens, unless a stop ends it: so a workload "
    "decides the true lengths. /metrics has vLLM's names, and cato_emulate_step_lateness_seconds: "
    "steps that were late by more than a few milliseconds have measured this machine."
)
SUMMARY = "emulate a vLLM replica: its HTTP protocol, at the speed of a latency profile"
MILLISECONDS = 1000


def configure(parser: Parser) -> None:
    """Where it listens, what it is like, what it says."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add("--host", metavar="HOST", default="127.0.0.1", help="address to bind")
    add("--port", metavar="PORT", type=port, default=8000, help="port to bind, 0 picks a free one")
    add(
        "--model",
        metavar="NAME",
        help="name it serves (default: the profile's, else cato-emulated)",
    )
    add(
        "--speed",
        metavar="X",
        type=above_zero,
        default=1.0,
        help="times faster than the profile; 0.5 is half",
    )
    add(
        "--start-s",
        metavar="S",
        type=not_negative,
        default=0.0,
        help="seconds until it listens, as a model loads",
    )
    add("--seed", metavar="N", type=int, default=0, help="another seed, other text")
    add(
        "--corpus",
        type=Path,
        metavar="PATH",
        help="a file or folder: a prompt found in it is answered with what follows there, as by a "
        "model that knows the code; other prompts, or all without it, with endless pseudo-code",
    )
    add(
        "--error-rate",
        metavar="SHARE",
        type=share,
        default=0.0,
        help="share of the corpus's tokens said wrong",
    )
    add(
        "--confidence",
        choices=("calibrated", "uniform", "none"),
        default="calibrated",
        help="logprobs of the corpus's tokens: by a chance to err that is drawn for each token, "
        "with the error rate as its mean; the same for all; or null, as of a server without them",
    )
    _add_profile(parser)


def _add_profile(parser: Parser) -> None:
    description = (
        "From a profile (see `cato profile`), or by the additive step law: a step takes --step-ms, "
        "and --token-ms for each new token in it (of a prompt, or decoded)."
    )
    add = parser.add_argument_group("speed and size", description).add_argument
    add("--profile", type=Path, metavar="FILE", help="latency profile, in place of the law below")
    add(
        "--step-ms",
        metavar="MS",
        type=not_negative,
        default=20.0,
        help="milliseconds of a step, whatever is in it",
    )
    add(
        "--token-ms",
        metavar="MS",
        type=not_negative,
        default=0.1,
        help="milliseconds for each new token in a step",
    )
    add(
        "--sequence-ms",
        metavar="MS",
        type=not_negative,
        default=0.0,
        help="milliseconds for each sequence in a step",
    )
    add(
        "--kv-token-us",
        metavar="US",
        type=not_negative,
        default=0.0,
        help="microseconds for each token of context that is read",
    )
    add(
        "--request-ms",
        metavar="MS",
        type=not_negative,
        default=0.0,
        help="milliseconds of a request's way to the engine's queue",
    )
    add("--max-num-seqs", metavar="N", type=at_least(1), help="sequences in a step (default 64)")
    add(
        "--max-num-batched-tokens",
        metavar="N",
        type=at_least(1),
        help="new tokens in a step (default 2048)",
    )
    add(
        "--long-prefill-token-threshold",
        metavar="N",
        type=at_least(0),
        help="tokens of one prompt in a step unless it is alone in the engine; 0, the default: no "
        "such limit",
    )
    add(
        "--kv-tokens",
        metavar="N",
        type=at_least(1),
        help="size of the KV cache in tokens (default 100000)",
    )
    add("--block-size", metavar="N", type=at_least(1), help="tokens in a KV block (default 16)")
    add(
        "--max-model-len",
        metavar="N",
        type=at_least(1),
        help="longest prompt and answer together (default 32768)",
    )
    add(
        "--scheduling-policy",
        choices=("priority", "fcfs"),
        default="priority",
        help="order of the waiting queue; fcfs refuses a request's `priority`, as vLLM does",
    )
    parser.restrict(
        "not with --profile, which has a law of its own",
        lambda arguments: arguments.profile is None,
        *("--step-ms", "--token-ms", "--sequence-ms", "--kv-token-us"),
    )
    parser.restrict(
        "only with --corpus", lambda arguments: arguments.corpus is not None, "--error-rate"
    )
    parser.restrict(
        "only with --corpus, unless it is none",
        lambda arguments: arguments.corpus is not None or arguments.confidence == "none",
        "--confidence",
    )


def run(arguments: argparse.Namespace) -> int:
    """Serves until SIGINT or SIGTERM. Prints its URL first, and last how punctual it was."""
    import asyncio
    import gc

    import uvloop

    from cato_lab.emulator import Emulator

    emulator = Emulator(_options(arguments))
    gc.freeze()  # A full collection of what is loaded would make every stream late.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(emulator, arguments.start_s))
    print(emulator.metrics.lateness.summary(), file=sys.stderr)
    return 0


async def _serve(emulator: Emulator, start_s: float) -> None:
    import asyncio
    import contextlib
    import signal

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), start_s)
        return  # It was ended while it loaded.
    async with emulator:
        print(emulator.url, flush=True)
        await stop.wait()


def _options(arguments: argparse.Namespace) -> EmulatorOptions:
    from cato_lab.emulator import EmulatorOptions

    return EmulatorOptions(
        _profile(arguments),
        arguments.host,
        arguments.port,
        arguments.scheduling_policy,
        arguments.speed,
        arguments.request_ms / MILLISECONDS,
        _text(arguments),
        arguments.confidence != "none",
    )


def _text(arguments: argparse.Namespace) -> TextSource:
    from cato_lab.emulator.corpus import CONCENTRATION, CorpusText, Errors, read_corpus
    from cato_lab.emulator.text import PseudoCode

    if arguments.corpus is None:
        return PseudoCode(seed=arguments.seed)
    concentration = CONCENTRATION if arguments.confidence == "calibrated" else None
    errors = Errors(arguments.error_rate, arguments.seed, concentration)
    return CorpusText(read_corpus(arguments.corpus), errors)


def _profile(arguments: argparse.Namespace) -> Profile:
    """The file's profile or the law of the arguments; limits and name given here go before both."""
    from dataclasses import fields, replace

    from cato_backend.profile_files.files import load_profile
    from cato_backend.profile_files.law import StepLaw
    from cato_backend.profile_files.profile import EngineLimits, Profile

    if arguments.profile is not None:
        profile = load_profile(arguments.profile)
    else:
        law = StepLaw(
            "additive",
            base=arguments.step_ms / MILLISECONDS,
            per_new_token=arguments.token_ms / MILLISECONDS,
            per_sequence=arguments.sequence_ms / MILLISECONDS,
            per_kv_token=arguments.kv_token_us / MILLISECONDS**2,
        )
        profile = Profile("cato-emulated", "emulated", law)
    names = [field.name for field in fields(EngineLimits)]
    given = {name: value for name in names if (value := getattr(arguments, name)) is not None}
    limits = replace(profile.limits, **given)
    return replace(profile, model=arguments.model or profile.model, limits=limits)

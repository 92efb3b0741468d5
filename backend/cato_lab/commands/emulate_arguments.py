"""The arguments of `cato emulate`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cato_backend.commands.arguments import Parser, above_zero, at_least, not_negative, port, share

if TYPE_CHECKING:
    from cato_lab.emulator import Fault

EPILOG = (
    "An answer is as long as its request's max_tokens, unless a stop ends it: so a workload "
    "decides the true lengths. /metrics has vLLM's names, and cato_emulate_step_lateness_seconds: "
    "steps that were late by more than a few milliseconds have measured this machine."
)


def add_arguments(parser: Parser) -> None:
    """Add where it listens, how fast it is, what it answers."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add("--host", metavar="HOST", default="127.0.0.1", help="address to bind")
    add("--port", metavar="PORT", type=port, default=8000, help="port to bind, 0 picks a free one")
    add("--uds", metavar="FILE", type=Path, help="Unix socket to bind in place of host and port")
    add(
        "--model",
        metavar="NAME",
        help="name of the served model (default: the profile's, else cato-emulated)",
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
    add(
        "--enable-sleep-mode",
        action="store_true",
        help="answer POST /sleep and POST /wake_up, as vLLM does in its developer mode",
    )
    add(
        "--sleep-s",
        metavar="S",
        type=not_negative,
        default=0.0,
        help="seconds until it is asleep",
    )
    add(
        "--wake-s",
        metavar="S",
        type=not_negative,
        default=0.0,
        help="seconds until it has woken",
    )
    parser.restrict(
        "only with --enable-sleep-mode",
        lambda arguments: arguments.enable_sleep_mode,
        *("--sleep-s", "--wake-s"),
    )
    add("--seed", metavar="N", type=int, default=0, help="seed of the text")
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
        help="share of the corpus's tokens that are answered wrong",
    )
    add(
        "--confidence",
        choices=("calibrated", "uniform", "hidden", "none"),
        default="calibrated",
        help="logprobs of the corpus's tokens: by a chance to err that is drawn for each token, "
        "with the error rate as its mean; the same for all; drawn, but null, as of a server "
        "that does not tell them; or the same for all and null",
    )
    add("--reply", metavar="TEXT", help="fixed answer, instead of pseudo-code")
    _add_profile(parser)
    _add_fixed_times(parser)
    _add_faults(parser)


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
        "not with --ttft-ms or --itl-ms, which stand in its place",
        lambda arguments: arguments.ttft_ms is None and arguments.itl_ms is None,
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


def _add_fixed_times(parser: Parser) -> None:
    description = "In place of a profile or law: each request has these times, whatever else runs."
    add = parser.add_argument_group("fixed times", description).add_argument
    add("--ttft-ms", metavar="MS", type=not_negative, help="milliseconds to the first token")
    add("--itl-ms", metavar="MS", type=not_negative, help="milliseconds from token to token")
    parser.restrict(
        "not with --profile, which gives the times",
        lambda arguments: arguments.profile is None,
        *("--ttft-ms", "--itl-ms"),
    )
    parser.restrict(
        "not with --corpus, which is what it says",
        lambda arguments: arguments.corpus is None,
        "--reply",
    )


def _add_faults(parser: Parser) -> None:
    add = parser.add_argument_group("faults and tests").add_argument
    add(
        "--fault",
        metavar="KIND[:TOKENS]",
        type=_fault,
        action="append",
        default=[],
        help="the fault of every request, and the tokens before it: reset, error, hang or html "
        "before the answer; stream_error, die, truncate, stall or malformed in it",
    )
    add(
        "--stamped",
        action="store_true",
        help="each token's text is the monotonic clock in nanoseconds when it was sent",
    )
    add(
        "--control",
        action="store_true",
        help="print a second URL, where GET /state shows what it received and POST /behaviour "
        "changes what it does",
    )


def _fault(text: str) -> Fault:
    from cato_lab.emulator import Fault, FaultKind

    kind, colon, tokens = text.partition(":")
    if kind not in tuple(FaultKind) or (colon and not tokens.isdecimal()):
        expected = f"KIND or KIND:TOKENS with one of the kinds {', '.join(FaultKind)}"
        raise argparse.ArgumentTypeError(f"got {text}, expected {expected}")
    return Fault(FaultKind(kind), int(tokens or 0))

"""`cato emulate`: an emulated vLLM replica."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from cato_backend.commands.arguments import Parser
from cato_lab.commands.emulate_arguments import add_arguments

if TYPE_CHECKING:
    from cato_lab.emulator import Emulator

SUMMARY = "emulate a vLLM replica: its HTTP protocol, at the speed of a latency profile"


def configure(parser: Parser) -> None:
    """Add the arguments."""
    add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM. Prints its URL first, and last how punctual it was."""
    import asyncio
    import gc

    import uvloop

    from cato_lab.commands.emulation import emulator_options
    from cato_lab.emulator import Emulator

    emulator = Emulator(emulator_options(arguments))
    gc.freeze()  # A full collection of what is loaded would make every stream late.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(emulator, arguments.start_s, controlled=arguments.control))
    print(emulator.lateness.summary(), file=sys.stderr)
    return 0


async def _serve(emulator: Emulator, start_s: float, *, controlled: bool) -> None:
    import asyncio
    import contextlib
    import signal

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if start_s:
        print(f"loading for {start_s:g} s", file=sys.stderr, flush=True)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), start_s)
        return  # It was ended while it loaded.
    async with emulator:
        print(emulator.url, flush=True)
        if controlled:
            print(emulator.control_url, flush=True)
        await stop.wait()

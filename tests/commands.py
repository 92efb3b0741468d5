"""Commands of `cato`, which run as processes of their own."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

CATO = (sys.executable, "-m", "cato_backend")
NO_TOKEN = ("--loopback-token", "never")
"""Other people may have an account on the machine that runs the tests."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended and what it printed."""

    status: int
    out: str
    err: str


def serve_command(*arguments: str, cato: Sequence[str] = CATO) -> list[str]:
    """Return the command line of a server that wants no token."""
    return [*cato, "serve", *NO_TOKEN, *arguments]


async def run_cato(environment: Mapping[str, str], *arguments: str) -> Ended:
    """Return how `cato ARGUMENTS` ended."""
    process = await asyncio.create_subprocess_exec(
        *CATO, *arguments, env=environment, stdout=PIPE, stderr=PIPE
    )
    out, err = await process.communicate()
    return Ended(process.returncode or 0, out.decode(), err.decode())

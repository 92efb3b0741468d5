"""`cato sign-out`: end the sign-in to a team's server."""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import suppress

from cato_lsp.backend.client import BackendClient
from cato_lsp.backend.discovery import Origin, Target, UntrustedTokens, forget_token, kept_token
from cato_lsp.backend.failures import BackendFailure, Denied
from cato_lsp.commands.arguments import CommandFailed, add_url_argument, named_backend

SUMMARY = "end the sign-in to a team's server"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_url_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Revoke the token and delete it; return 1 if the user has not signed in."""
    try:
        url = named_backend(arguments.url).url
        token = kept_token(url)
        if token is None:
            print(f"not signed in to {url}")
            return 1
        asyncio.run(_revoke(Target(url, token, Origin.SETTINGS)))
        forget_token(url)
    except (CommandFailed, BackendFailure, UntrustedTokens, OSError) as failure:
        print(f"cato sign-out: {failure}", file=sys.stderr)
        return 1
    print(f"signed out of {url}")
    return 0


async def _revoke(target: Target) -> None:
    async with BackendClient(target) as client:
        with suppress(Denied):  # The token has expired, or was revoked elsewhere.
            await client.ask("POST", "/v1/sign-out")

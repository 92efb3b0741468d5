"""`cato sign-in`: get a token for a team's server, by a code that is confirmed on its page."""

from __future__ import annotations

import argparse
import asyncio
import platform
import sys
from datetime import datetime, timedelta

from cato_lsp.backend.client import BackendClient
from cato_lsp.backend.discovery import Target, UntrustedTokens, keep_token, kept_tokens_path
from cato_lsp.backend.failures import BackendFailure
from cato_lsp.backend.sign_in import begin, finish
from cato_lsp.commands.arguments import CommandFailed, add_url_argument, named_backend

SUMMARY = "sign in to a team's server; your editors then use it as you"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_url_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Show a code, wait until it is confirmed, and keep the token."""
    try:
        asyncio.run(_sign_in(named_backend(arguments.url)))
    except (CommandFailed, BackendFailure, UntrustedTokens, OSError) as failure:
        print(f"cato sign-in: {failure}", file=sys.stderr)
        return 1
    return 0


async def _sign_in(target: Target) -> None:
    async with BackendClient(target) as client:
        device = await begin(client, f"cato on {platform.node()}")
        print(f"Open {device.page_with_code}", flush=True)
        print(f"and confirm the code {device.user_code}. Waiting ...", flush=True)
        granted = await finish(client, device)
    keep_token(target.url, granted.token)
    until = datetime.now() + timedelta(seconds=granted.expires_s)
    print(f"Signed in to {target.url} as {granted.person}, until {until:%Y-%m-%d}.")
    print(f"The token is kept in {kept_tokens_path()}, for this address alone.")

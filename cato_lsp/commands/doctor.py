"""`cato doctor`: checks each hop from the editor to the model, and says what to do."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator
from dataclasses import replace

from cato_lsp.commands import checks
from cato_lsp.commands.arguments import (
    add_backend_arguments,
)
from cato_lsp.commands.backend_checks import check_backend
from cato_lsp.commands.checks import (
    Finding,
    Verdict,
    note,
    ok,
)
from cato_lsp.commands.stats import stats_of
from cato_lsp.settings.settings import Settings, parse
from cato_lsp.suggestions.outcomes import events

SUMMARY = "check each hop from the editor to the model, and say what to do"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_backend_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print one line for each hop; return 1 if one of them is broken, 2 if one is loading."""
    return asyncio.run(_run(arguments))


async def _run(arguments: argparse.Namespace) -> int:
    given = {"backend": {"url": arguments.url, "token": arguments.token}}
    settings, complaints = parse(given)
    printed = FindingPrinter()
    for finding in [checks.check_settings(settings, complaints), *_local(settings)]:
        printed.show(finding)
    async for finding in check_backend(settings):
        printed.show(finding)
    return printed.status


class FindingPrinter:
    """Prints findings, and keeps the worst verdict."""

    def __init__(self) -> None:
        self._verdicts: set[Verdict] = set()
        self._remedies: set[str] = set()

    def show(self, finding: Finding) -> None:
        """Print a finding; a remedy that was printed already is not repeated."""
        remedy = finding.remedy
        known = remedy in self._remedies
        print(replace(finding, remedy="as above") if known else finding, flush=True)
        self._verdicts.add(finding.verdict)
        if remedy:
            self._remedies.add(remedy)

    @property
    def status(self) -> int:
        """The exit status: 1 if a hop is broken, 2 if one is loading."""
        if Verdict.BROKEN in self._verdicts:
            return 1
        return 2 if Verdict.LOADING in self._verdicts else 0


def _local(settings: Settings) -> Iterator[Finding]:
    yield checks.check_language_server()
    yield checks.check_discovery(settings)
    yield checks.check_engine(settings)
    yield check_history()


def check_history() -> Finding:
    """Check what the last sessions made of the engine's prefix cache."""
    stored = [event for event in events() if event.get("event") == "usage"]
    stats, last = stats_of(stored), stats_of(stored[-1:])
    if stats.prefix_hit_rate is None:
        return note("prefix cache", "not known yet", "complete something in an editor first")
    told = f"{stats.prefix_hit_rate:.0%} of prompt tokens were computed before"
    if last.prefix_hit_rate is not None:
        told += f", {last.prefix_hit_rate:.0%} in the last session"
    reused = stats.reused / max(stats.reused + stats.asked, 1)
    return ok("prefix cache", f"{told}; {reused:.0%} of answers needed no request")

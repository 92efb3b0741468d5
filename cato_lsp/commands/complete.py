"""`cato complete FILE:LINE:COLUMN`: an inline completion without an editor."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from cato_backend.wire.headers import CancelReason
from cato_lsp.backend.answers import TokenStream
from cato_lsp.backend.calls import (
    ClientIds,
    RequestOptions,
    completion_call,
    has_prompt,
    window_for,
)
from cato_lsp.backend.link import Connection
from cato_lsp.backend.models import advice, described
from cato_lsp.commands.arguments import (
    CommandFailed,
    FileLocation,
    add_backend_arguments,
    add_privacy_arguments,
    connected,
    read_place,
    settings_of,
)
from cato_lsp.completion import Completeness
from cato_lsp.decisions.classify import Action, classify
from cato_lsp.settings.settings import Settings
from cato_lsp.syntax import syntax_context

SUMMARY = "complete a place in a file, and say how long it took"
CLIENT_IDS = ClientIds("cato-complete", "cato-complete")


Show = Callable[[str], None]
"""Told all of the text so far, each time there is more of it."""


@dataclass(frozen=True, slots=True)
class _Times:
    ttft_ms: float | None
    total_ms: float


@dataclass(frozen=True, slots=True)
class Report:
    """One completion and its times, in milliseconds from the sending of the request."""

    text: str
    task: str
    model: str
    """Its own name."""
    parameters: int | None
    """How large it is; None where it is not known."""
    advice: str
    """How to get a better model; empty where there is nothing to say."""
    request_id: str
    replica: str | None
    queue_ms: float | None
    ttft_ms: float | None
    total_ms: float


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("place", metavar="FILE:LINE:COLUMN", help="counted from 1")
    parser.add_argument("--language", help="LSP language id (else from the file's suffix)")
    parser.add_argument("--json", action="store_true", help="one JSON object, at the end")
    add_privacy_arguments(parser)
    add_backend_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the completion as it comes, then a line of times; return the exit status."""
    try:
        report = asyncio.run(_run(arguments))
    except CommandFailed as failure:
        sys.stderr.write(f"cato complete: {failure}\n")
        return 1
    if arguments.json:
        print(json.dumps(asdict(report)))
    else:
        sys.stderr.write(f"\n{_summary(report)}\n")
    return 0


async def _run(arguments: argparse.Namespace) -> Report:
    settings = settings_of(arguments)
    place = read_place(arguments.place, arguments.language, settings.privacy)
    async with connected(settings) as connection:
        show = _silent if arguments.json else _terminal()
        return await complete(settings, connection, place, show)


def _terminal() -> Show:
    """Return a function that writes what is new of a text that grows."""
    shown = ""

    def show(text: str) -> None:
        nonlocal shown
        if text.startswith(shown):
            sys.stdout.write(text[len(shown) :])
            sys.stdout.flush()
            shown = text

    return show


def _silent(_text: str) -> None:
    """Show nothing: with --json the text is shown at the end."""


async def complete(
    settings: Settings, connection: Connection, place: FileLocation, show: Show
) -> Report:
    """Return one completion, as an editor would get it. Raises BackendFailure."""
    if not has_prompt(connection.model, place.snapshot, place.offset):
        raise CommandFailed("there is no text to complete: the file is empty up to here")
    context = syntax_context(place.snapshot, place.offset)
    targets = settings.targets.on_hardware(connection.model.needed_ms)
    assignment = classify(Action.INVOKED_COMPLETION, context, targets)
    call = completion_call(
        assignment,
        window_for(connection.model, place.snapshot, place.offset),
        (),
        connection.model,
        CLIENT_IDS,
        RequestOptions(budget_ms=int((assignment.ttft_ms or 0) - connection.round_trip_ms)),
    )
    completeness = Completeness(context, assignment, max_lines=settings.completion.max_lines)
    stream = connection.client.open(call, cancels=connection.model.cancels)
    pieces = TokenStream(stream)
    times = await _follow(pieces, completeness, show)
    stream.cancel(CancelReason.ENOUGH)
    return Report(
        text=completeness.text(truncated=pieces.truncated),
        task=assignment.task.value,
        model=connection.model.title,
        parameters=connection.model.parameters,
        advice=advice(connection.model),
        request_id=call.request_id,
        replica=stream.head.replica,
        queue_ms=stream.head.queue_ms,
        ttft_ms=times.ttft_ms,
        total_ms=times.total_ms,
    )


async def _follow(pieces: TokenStream, completeness: Completeness, show: Show) -> _Times:
    started_s = time.perf_counter()
    ttft_ms: float | None = None
    async for tokens in pieces:
        if ttft_ms is None:
            ttft_ms = _since_ms(started_s)
        enough = completeness.feed("".join(token.text for token in tokens))
        show(completeness.text())
        if enough:
            break
    return _Times(ttft_ms, _since_ms(started_s))


def _since_ms(started_s: float) -> float:
    return round((time.perf_counter() - started_s) * 1000, 1)


def _summary(report: Report) -> str:
    """Return who answered and how fast, and how to get a better model."""
    figures = {"queue": report.queue_ms, "TTFT": report.ttft_ms, "total": report.total_ms}
    shown = [f"{name} {value:.0f} ms" for name, value in figures.items() if value is not None]
    model = described(report.model, report.parameters)
    line = f"[{report.task} by {model}: {', '.join(shown)}]"
    return f"{line}\n[{report.advice}]" if report.advice else line

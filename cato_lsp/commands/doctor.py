"""`cato doctor`: checks each hop from the editor to the model, and says what to do."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence

from cato_lsp.backend.client import BackendClient
from cato_lsp.backend.failures import BackendFailure, Denied, Refused
from cato_lsp.backend.link import Connection
from cato_lsp.backend.models import Model
from cato_lsp.backend.replicas import DOWN, FAILED, UP, ReplicaReport, ReplicaSpeed
from cato_lsp.commands import checks, connecting
from cato_lsp.commands.complete import complete
from cato_lsp.commands.failures import CommandFailed
from cato_lsp.commands.findings import Finding, Verdict, broken, note, ok
from cato_lsp.commands.places import FileLocation
from cato_lsp.commands.stats import stats_of
from cato_lsp.commands.step_limits import check_step_limits
from cato_lsp.session.history import events
from cato_lsp.session.settings import Settings, parse
from cato_lsp.syntax import open_document

SUMMARY = "check each hop from the editor to the model, and say what to do"
SAMPLE = "def add(a, b):\n    return "


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
    connecting.configure(parser)


def run(arguments: argparse.Namespace) -> int:
    """Prints one line for each hop; returns 1 if one of them is broken."""
    return asyncio.run(_run(arguments))


async def _run(arguments: argparse.Namespace) -> int:
    given = {"backend": {"url": arguments.url, "token": arguments.token}}
    settings, complaints = parse(given)
    is_broken = False
    for finding in [checks.check_settings(settings, complaints), *_local(settings)]:
        print(finding)
        is_broken |= finding.verdict is Verdict.BROKEN
    async for finding in check_backend(settings):
        print(finding)
        is_broken |= finding.verdict is Verdict.BROKEN
    return int(is_broken)


def _local(settings: Settings) -> Iterator[Finding]:
    yield checks.check_language_server()
    yield checks.check_discovery(settings)
    yield checks.check_engine(settings)
    yield check_history()


def check_history() -> Finding:
    """What the last sessions made of the engine's prefix cache."""
    stored = [event for event in events() if event.get("event") == "usage"]
    stats, last = stats_of(stored), stats_of(stored[-1:])
    if stats.prefix_hit_rate is None:
        return note("prefix cache", "not known yet", "complete something in an editor first")
    told = f"{stats.prefix_hit_rate:.0%} of prompt tokens were computed before"
    if last.prefix_hit_rate is not None:
        told += f", {last.prefix_hit_rate:.0%} in the last session"
    reused = stats.reused / max(stats.reused + stats.asked, 1)
    return ok("prefix cache", f"{told}; {reused:.0%} of answers needed no request")


async def check_backend(settings: Settings) -> AsyncIterator[Finding]:
    """The hops behind the network, as far as they can be reached."""
    try:
        target = connecting.target_of(settings)
    except CommandFailed as failure:
        yield broken("backend", str(failure), "start one with `cato serve`")
        return
    client = BackendClient(target)
    try:
        async for finding in _hops(client, settings):
            yield finding
    finally:
        await client.close()


async def _hops(client: BackendClient, settings: Settings) -> AsyncIterator[Finding]:
    try:
        for finding in check_replicas(await client.replicas()):
            yield finding
        round_trip_ms = await client.health()
        yield ok("backend", f"{client.target.url} answers in {round_trip_ms:.0f} ms")
        model = await client.model()
        yield ok("model", f"{model.name}: {', '.join(sorted(model.tasks))}")
        yield _fill_in_the_middle(model)
        if model.instruct_note:
            yield _instructions(model)
        yield await _one_completion(settings, Connection(client, model, round_trip_ms))
    except BackendFailure as failure:
        yield broken("backend", str(failure), _remedy(failure, client.target.url))


def check_replicas(reports: Sequence[ReplicaReport]) -> Iterator[Finding]:
    """How the backend's replicas are; one that is away is no break while another serves."""
    serves = any(report.state == UP for report in reports)
    for report in reports:
        hop = f"replica {report.name}"
        if report.state == UP:
            yield ok(hop, f"up, serves {report.model}" if report.model else "up")
            if report.speed is not None:
                yield _speed(hop, report.model, report.speed)
            if report.steps is not None:
                yield check_step_limits(hop, report.steps)
            continue
        since = f" since {report.since}" if report.since else ""
        text = f"{report.state}{since}: {report.reason or 'it does not say why'}"
        is_broken = report.state in (DOWN, FAILED) and not serves
        remedy = report.remedy or "read the backend's log"
        yield broken(hop, text, remedy) if is_broken else note(hop, text, remedy)


def _speed(hop: str, model: str, speed: ReplicaSpeed) -> Finding:
    """What is known of one replica's speed, and how well."""
    if not speed.windows:
        remedy = "it is learned from the first answers; scheduling.calibrate measures it before"
        return note(hop, f"{model}, its speed is not known yet", remedy)
    age = "before this run" if speed.age_s is None else f"{speed.age_s:.0f} s ago"
    text = (
        f"{model}, {speed.token_ms:.1f} ms a token alone, {speed.prompt_ms:.0f} ms for "
        f"1,000 prompt tokens (± {speed.spread:.0%}, from {speed.windows} stretches of steps, "
        f"the last {age})"
    )
    return ok(hop, text)


def _fill_in_the_middle(model: Model) -> Finding:
    if model.fills_in_the_middle:
        return ok("fill-in-the-middle", "the model sees the text on both sides of the cursor")
    remedy = "serve a model trained for it, such as Qwen2.5-Coder, through `cato serve`"
    return note("fill-in-the-middle", "the model sees only what stands before the cursor", remedy)


def _instructions(model: Model) -> Finding:
    if model.follows_instructions:
        return ok("instructions", f"whole tasks ask it in a chat: {model.instruct_note}")
    text = f"whole tasks ask it as a base model: {model.instruct_note}"
    remedy = "if that is wrong, set `instruct = true` for the model or the replica in cato.toml"
    return note("instructions", text, remedy)


async def _one_completion(settings: Settings, connection: Connection) -> Finding:
    snapshot = open_document("untitled:doctor", "python", 1, SAMPLE).snapshot()
    place = FileLocation(snapshot, len(SAMPLE))
    report = await complete(settings, connection, place, lambda _text: None)
    target_ms = settings.targets.completion_ttft_ms
    times = f"TTFT {report.ttft_ms or 0:.0f} ms, total {report.total_ms:.0f} ms"
    if report.ttft_ms is None:
        return note("completion", f"the model had nothing to add ({times})")
    if report.ttft_ms > target_ms:
        remedy = "a smaller model, a faster replica, or a higher tasks.completion.ttftMs"
        return note("completion", f"{times}: later than its target of {target_ms} ms", remedy)
    return ok("completion", times)


def _remedy(failure: BackendFailure, url: str) -> str:
    if isinstance(failure, Denied):
        return "set CATO_BACKEND_TOKEN (or backend.token) to the backend's token"
    if isinstance(failure, Refused):
        return "read the backend's log; `curl " + url + "/health` shows its state"
    return f"is the backend running? `curl {url}/health` must answer"

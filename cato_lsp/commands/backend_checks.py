"""Checks of a backend, hop by hop, for `cato doctor`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from http import HTTPStatus

from cato_lsp.backend.client import BackendClient
from cato_lsp.backend.discovery import Origin, Target
from cato_lsp.backend.failures import BackendFailure, Denied, Refused, Unreachable
from cato_lsp.backend.link import Connection
from cato_lsp.backend.models import Model, advice, described
from cato_lsp.backend.replicas import (
    ASLEEP,
    DOWN,
    FAILED,
    STARTING,
    UP,
    BackendReports,
    ReplicaReport,
    ReplicaSpeed,
    SourceReport,
)
from cato_lsp.commands import checks
from cato_lsp.commands.arguments import (
    CommandFailed,
    FileLocation,
    target_of,
)
from cato_lsp.commands.checks import (
    Finding,
    broken,
    check_step_limits,
    check_token,
    loading,
    note,
    ok,
)
from cato_lsp.commands.complete import complete
from cato_lsp.settings.settings import Settings
from cato_lsp.syntax import open_document

SAMPLE = "def add(a, b):\n    return "


async def check_backend(settings: Settings) -> AsyncIterator[Finding]:
    """Check the hops behind the network, as far as they can be reached."""
    try:
        target = target_of(settings)
    except CommandFailed as failure:
        remedy = "start one with `cato serve`, or name one in CATO_BACKEND_URL"
        yield broken("backend", str(failure), remedy)
        return
    async with BackendClient(target) as client:
        async for finding in _hops(client, settings):
            yield finding


async def _hops(client: BackendClient, settings: Settings) -> AsyncIterator[Finding]:
    reports = BackendReports()
    try:
        reports = await client.reports()
        for finding in _reported(reports):
            yield finding
        round_trip_ms = await client.health()
        yield ok("backend", f"{client.target.url} answers in {round_trip_ms:.0f} ms")
        model = await client.model()
        token = await check_token(client.target, settings.backend)
        if token is not None:
            yield token
        yield _model(model)
        yield _fill_in_the_middle(model)
        if model.instruct_note:
            yield _instructions(model)
        yield await _one_completion(settings, Connection(client, model, round_trip_ms))
    except BackendFailure as failure:
        yield _failed(failure, reports.replicas, client.target)


def _reported(reports: BackendReports) -> Iterator[Finding]:
    yield from check_replicas(reports.replicas)
    yield from check_sources(reports.sources)
    yield from checks.check_gpus(reports.gpus)
    yield from checks.check_gateways(reports.gateways)


def check_replicas(reports: Sequence[ReplicaReport]) -> Iterator[Finding]:
    """Check the backend's replicas; one that is away is no break while another serves."""
    serves = any(report.state in (UP, ASLEEP) for report in reports)
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
        remedy = report.remedy or "read the backend's log"
        if report.state == ASLEEP:
            yield ok(hop, f"{report.state}{since}: {report.reason}")
        elif report.state == STARTING:
            yield loading(hop, f"{report.state}{since}: {report.reason or 'it loads its model'}")
        elif report.state in (DOWN, FAILED) and not serves:
            yield broken(hop, text, remedy)
        else:
            yield note(hop, text, remedy)


def check_sources(reports: Sequence[SourceReport]) -> Iterator[Finding]:
    """Check where the backend gets replicas from; what it has of them continues without it."""
    for report in reports:
        hop = f"replicas from {report.name}"
        yield note(hop, report.trouble, report.remedy) if report.trouble else ok(hop, "it answers")


def _speed(hop: str, model: str, speed: ReplicaSpeed) -> Finding:
    """Return what is known of one replica's speed, and how well."""
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


def _model(model: Model) -> Finding:
    text = f"{described(model.title, model.parameters)}: {', '.join(sorted(model.tasks))}"
    hint = advice(model) if model.fills_in_the_middle else ""
    return note("model", text, hint) if hint else ok("model", text)


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
    target_ms = settings.targets.on_hardware(connection.model.needed_ms).completion_ttft_ms
    times = f"TTFT {report.ttft_ms or 0:.0f} ms, total {report.total_ms:.0f} ms"
    if report.ttft_ms is None:
        return note("completion", f"the model had nothing to add ({times})")
    if report.ttft_ms > target_ms:
        remedy = "a smaller model, a faster replica, or a higher tasks.completion.ttftMs"
        return note("completion", f"{times}: later than its target of {target_ms} ms", remedy)
    return ok("completion", times)


def _failed(failure: BackendFailure, reports: Sequence[ReplicaReport], target: Target) -> Finding:
    """Return what a failure of the backend means. `reports`: what it said of replicas before."""
    if isinstance(failure, Refused) and failure.status == HTTPStatus.SERVICE_UNAVAILABLE:
        states = {report.state for report in reports}
        if not states or states == {STARTING}:
            remedy = "wait until the model is loaded; if that takes long, read the backend's log"
            return loading("backend", str(failure), remedy)
    reason = failure.reason if isinstance(failure, Unreachable) else str(failure)
    return broken("backend", reason, _remedy(failure, target))


def _remedy(failure: BackendFailure, target: Target) -> str:
    if isinstance(failure, Denied):
        return "run `cato sign-in`, or set CATO_BACKEND_TOKEN (or backend.token) to its token"
    if isinstance(failure, Unreachable) and target.origin is Origin.DISCOVERED:
        return "it is not running any more: start one with `cato serve`"
    if isinstance(failure, Unreachable) and failure.remedy:
        return failure.remedy
    return f"read the backend's log; `curl {target.url}/health` shows its state"

"""The single checks of `cato doctor`, and the print of their findings."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from urllib.parse import urlsplit

from cato_backend.wire.addresses import is_loopback
from cato_backend.wire.discovery import UntrustedAnnouncement, announcement_path, discover
from cato_backend.wire.state_files import cache_dir
from cato_lsp.backend.client import BackendClient
from cato_lsp.backend.discovery import Origin, Target
from cato_lsp.backend.failures import BackendFailure
from cato_lsp.backend.replicas import Gateways, InventoryGpu, StepLimits, StepReport
from cato_lsp.settings.lookup import Complaint
from cato_lsp.settings.settings import BackendSettings, Settings

SERVER_START_S = 30.0
_USUAL_LIMITS = StepLimits(step_tokens=2048, prompt_tokens=512)
"""Where too little is known of a replica."""
_TOLERATED_FACTOR = 2
"""Times the advised threshold: less off than this is as good."""
_UNSET_TOKEN = "unset CATO_BACKEND_TOKEN (or backend.token)"


def check_settings(settings: Settings, complaints: tuple[Complaint, ...]) -> Finding:
    """Check the arguments and the environment."""
    if complaints:
        wrong = "; ".join(f"{c.setting} must be {c.expected}" for c in complaints)
        return broken("settings", wrong, "correct the argument or the CATO_... variable")
    named = settings.backend.url or "none named, so your running one"
    token = "with a token" if settings.backend.token else "without a token"
    return ok("settings", f"backend: {named}, {token}")


def check_discovery(settings: Settings) -> Finding:
    """Check the file in which a co-located backend announces itself."""
    path = announcement_path()
    try:
        found = discover()
    except UntrustedAnnouncement as error:
        return broken("discovery", str(error), f"remove {path} and restart the backend")
    if found is not None:
        return ok("discovery", f"{found.url}, process {found.pid}, version {found.version}")
    if settings.backend.url:
        return ok("discovery", "no co-located backend, none needed")
    return note("discovery", f"no backend is announced in {path}")


def check_engine(settings: Settings) -> Finding:
    """Check the engine's own environment; only a backend on this machine needs one."""
    if settings.backend.url or sys.platform != "linux":
        return ok("engine", "not needed here: the backend is elsewhere")
    folder = cache_dir() / "engines"
    whole = sorted(path.parent.name for path in folder.glob("[!.]*/cato-engine.json"))
    if whole:
        return ok("engine", ", ".join(whole))
    remedy = "run `cato engine install cpu` (or gpu)"
    return note("engine", f"no engine is installed in {folder}", remedy)


def check_language_server() -> Finding:
    """Check whether `cato-lsp` starts and answers."""
    started_s = time.perf_counter()
    try:
        answer = _initialize()
    except subprocess.TimeoutExpired:
        return broken("cato-lsp", "did not answer", "run `cato-lsp -v` and read what it says")
    if b'"capabilities"' not in answer:
        return broken("cato-lsp", "did not start", "run `cato-lsp -v` and read what it says")
    return ok(
        "cato-lsp", f"starts and answers in {(time.perf_counter() - started_s) * 1000:.0f} ms"
    )


def _initialize() -> bytes:
    params: dict[str, object] = {"processId": None, "rootUri": None, "capabilities": {}}
    conversation: list[dict[str, object]] = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params},
        {"jsonrpc": "2.0", "id": 2, "method": "shutdown"},
        {"jsonrpc": "2.0", "method": "exit"},
    ]
    bodies = [json.dumps(message).encode() for message in conversation]
    framed = b"".join(b"Content-Length: %d\r\n\r\n%b" % (len(body), body) for body in bodies)
    command = [sys.executable, "-P", "-m", "cato_lsp", "--stdio"]
    done = subprocess.run(
        command, input=framed, capture_output=True, timeout=SERVER_START_S, check=False
    )
    return done.stdout


class Verdict(StrEnum):
    """Verdicts on a hop."""

    OK = "ok"
    NOTE = "note"
    """Works, but the person should know."""
    LOADING = "loading"
    """Does not work yet, and will without anything being done."""
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """One hop's verdict; `remedy` says what to do where there is something to do."""

    hop: str
    verdict: Verdict
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        line = f"{_MARKS[self.verdict]:6} {self.hop}: {self.text}"
        return f"{line}\n         -> {self.remedy}" if self.remedy else line


_MARKS = {
    Verdict.OK: "ok",
    Verdict.NOTE: "note",
    Verdict.LOADING: "wait",
    Verdict.BROKEN: "BROKEN",
}


def ok(hop: str, text: str) -> Finding:
    """Return the finding for a hop that is as it should be."""
    return Finding(hop, Verdict.OK, text)


def note(hop: str, text: str, remedy: str = "") -> Finding:
    """Return the finding for a hop that works, with something to know."""
    return Finding(hop, Verdict.NOTE, text, remedy)


def loading(hop: str, text: str, remedy: str = "") -> Finding:
    """Return the finding for a hop that only needs time."""
    return Finding(hop, Verdict.LOADING, text, remedy)


def broken(hop: str, text: str, remedy: str) -> Finding:
    """Return the finding for a hop that does not work."""
    return Finding(hop, Verdict.BROKEN, text, remedy)


def check_step_limits(hop: str, steps: StepReport) -> Finding:
    """Compare what the replica's engine was started with to what its speed calls for."""
    told, advised = steps.told, steps.advised or _USUAL_LIMITS
    start = f"start its engine with {advised.flags}"
    if told is None:
        text = "whether a long prompt holds up others is not known: engines do not tell their flags"
        return note(hop, text, f"{start}, and say so in its [[replicas]] (docs/deploy.md)")
    if not advised.prompt_tokens:
        return ok(hop, "its context is too short for prompts that hold up others")
    if not told.prompt_tokens:
        return note(hop, "a long prompt holds up all others until it is computed", start)
    share = f"{told.prompt_tokens:,} of {told.step_tokens:,} tokens of a step"
    if told.prompt_tokens > _TOLERATED_FACTOR * advised.prompt_tokens:
        text = f"a long prompt takes {share}, for longer than a completion can wait"
        return note(hop, text, start)
    if told.prompt_tokens * _TOLERATED_FACTOR < advised.prompt_tokens:
        return note(hop, f"prompts are computed slowly, by {share}", start)
    return ok(hop, f"a long prompt takes at most {share}")


def check_gpus(gpus: Sequence[InventoryGpu]) -> Iterator[Finding]:
    """Tell what the backend's GPUs have free, and whether others compute on them."""
    for gpu in gpus:
        text = f"{gpu.name}, {gpu.free_gb:.1f} of {gpu.memory_gb:.1f} GB free"
        if gpu.others:
            text += f", {gpu.others} processes of others on it"
        yield ok(f"gpu {gpu.label}", text)


def check_gateways(gateways: Gateways) -> Iterator[Finding]:
    """Tell of a backend with several front processes whether all of them take connections."""
    up, expected = gateways.up, gateways.expected
    if up < expected:
        text = f"{up} of {expected} processes take connections; the others are started again"
        yield note("gateways", text, "read the backend's log")
    elif expected > 1:
        yield ok("gateways", f"{expected} processes take connections")


async def check_token(target: Target, settings: BackendSettings) -> Finding | None:
    """Return what there is to say about the token that was used; None if there is nothing."""
    if target.origin is Origin.DISCOVERED:
        if not settings.token:
            return None
        text = "yours is not used: the backend that you run has a token of its own"
        return note(
            "token", text, f"{_UNSET_TOKEN}, or name the backend that it is for in backend.url"
        )
    if not target.token:
        return None
    if await _answers(replace(target, token=None)):
        text = "the backend needs none, and yours is sent with each request"
        return note("token", text, _UNSET_TOKEN if settings.token else "run `cato sign-out`")
    if _travels_openly(target.url):
        text = "accepted; it is sent unencrypted over the network"
        return note("token", text, "serve with TLS, and write https:// in backend.url")
    return ok("token", "accepted")


async def _answers(target: Target) -> bool:
    async with BackendClient(target) as client:
        try:
            await client.model()
        except BackendFailure:
            return False
    return True


def _travels_openly(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" and not is_loopback(parts.hostname or "")

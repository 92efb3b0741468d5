"""The checks of `cato doctor` that need no backend: settings, discovery, engine, cato-lsp."""

from __future__ import annotations

import json
import subprocess
import sys
import time

from cato_backend.wire.discovery import UntrustedAnnouncement, announcement_path, discover
from cato_backend.wire.paths import cache_dir
from cato_lsp.commands.findings import Finding, broken, note, ok
from cato_lsp.settings.lookup import Complaint
from cato_lsp.settings.settings import Settings

SERVER_START_S = 30.0


def check_settings(settings: Settings, complaints: tuple[Complaint, ...]) -> Finding:
    """The arguments and the environment."""
    if complaints:
        wrong = "; ".join(f"{c.setting} must be {c.expected}" for c in complaints)
        return broken("settings", wrong, "correct the argument or the CATO_... variable")
    named = settings.backend.url or "none named, so your running one"
    token = "with a token" if settings.backend.token else "without a token"
    return ok("settings", f"backend: {named}, {token}")


def check_discovery(settings: Settings) -> Finding:
    """The file in which a co-located backend announces itself."""
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
    """The engine's own environment; only a backend on this machine needs one."""
    if settings.backend.url or sys.platform != "linux":
        return ok("engine", "not needed here: the backend is elsewhere")
    folder = cache_dir() / "engines"
    whole = sorted(path.parent.name for path in folder.glob("[!.]*/cato-engine.json"))
    if whole:
        return ok("engine", ", ".join(whole))
    remedy = "run `cato engine install cpu` (or gpu)"
    return note("engine", f"no engine is installed in {folder}", remedy)


def check_language_server() -> Finding:
    """Whether `cato-lsp` starts and answers."""
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
    command = [sys.executable, "-m", "cato_lsp", "--stdio"]
    done = subprocess.run(
        command, input=framed, capture_output=True, timeout=SERVER_START_S, check=False
    )
    return done.stdout

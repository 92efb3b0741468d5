"""`cato serve`: the gateway, the scheduler and the fleet."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import logging
import secrets
import sys
from pathlib import Path

import uvloop

from cato_backend.app.backend import (
    Backend,
    announced,
    failed_for_good,
    idle,
    running_backend,
)
from cato_backend.app.process import Signals, elected, greeting
from cato_backend.clock import monotonic
from cato_backend.commands.arguments import Parser, port
from cato_backend.commands.serve_config import serve_config
from cato_backend.config import Config, describe_config
from cato_backend.fleet.launch import PlannedReplica, plan_local
from cato_backend.gateway.credentials import is_loopback
from cato_backend.gateway.server import Listener, listen
from cato_backend.scheduling import policy_names

SUMMARY = "serve AI coding tasks by their deadlines, on vLLM replicas"
_GC_THRESHOLDS = (20_000, 20, 50)
"""A request allocates some hundred objects that are freed by their counts, and no cycles."""


def configure(parser: Parser) -> None:
    """Add the arguments; each overrides the field of cato.toml that it names."""
    add = parser.add_argument
    add("--config", type=Path, metavar="FILE", help="cato.toml")
    add("--help-config", action="store_true", help="list every field of cato.toml and exit")
    add("--host", metavar="HOST", help="server.host: address to bind (default 127.0.0.1)")
    add(
        "--port",
        type=port,
        metavar="PORT",
        help="server.port: port to bind, 0 picks a free one (default 8700)",
    )
    add("--token-file", metavar="FILE", help="server.token_file: bearer tokens, one a line")
    add("--tls-cert", metavar="FILE", help="server.tls_cert: PEM certificate chain")
    add("--tls-key", metavar="FILE", help="server.tls_key: PEM private key")
    add(
        "--insecure", action="store_true", default=None, help="server.insecure: no TLS off loopback"
    )
    add(
        "--replica",
        action="append",
        metavar="URL",
        help="replicas: an OpenAI-compatible server that runs already, with /v1 or without; "
        "repeatable",
    )
    add(
        "--model",
        metavar="PATH",
        help="models: a replica started here serves 'embedded', a name of `cato model list` "
        "(fetched if need be), a folder, a hub name, or 'auto': the largest Qwen2.5-Coder for the "
        "GPU where there is one and a hub answers, else the first of `cato model list`, else "
        "'embedded' (default: auto, where the configuration names no model and no replica)",
    )
    add(
        "--profile",
        metavar="FILE",
        help="scheduling.profile: latency profile of every replica that names none of its own "
        "(default: found by hardware and model, for the replicas started here)",
    )
    add(
        "--min-replicas",
        type=int,
        metavar="N",
        help="provisioning.min_replicas: with --max-replicas, local replicas follow what is asked",
    )
    add(
        "--max-replicas",
        type=int,
        metavar="N",
        help="provisioning.max_replicas: (default: as many as are configured, always)",
    )
    add(
        "--no-calibrate",
        dest="calibrate",
        action="store_false",
        default=None,
        help="scheduling.calibrate: do not measure replicas that come up",
    )
    add(
        "--policy",
        choices=sorted(policy_names()),
        metavar="NAME",
        help=f"scheduling.policy: which policy routes: {', '.join(sorted(policy_names()))}",
    )
    add(
        "--event-log",
        metavar="FILE",
        help="server.event_log: every event and decision as JSON lines, for `cato replay`",
    )
    add(
        "--colocated",
        action="store_true",
        help="for editors: one per user, found by its discovery file, gone when idle",
    )
    parser.restrict(
        "not with --colocated, which binds a free port of 127.0.0.1",
        lambda arguments: not arguments.colocated or not arguments.port,
        "--port",
    )
    parser.restrict(
        "not with --colocated, which binds a free port of 127.0.0.1",
        lambda arguments: not arguments.colocated,
        *("--host", "--token-file", "--tls-cert", "--tls-key", "--insecure"),
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGINT, SIGTERM, or until nothing is left to serve with."""
    if arguments.help_config:
        print("\n".join(describe_config()))
        return 0
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    config = serve_config(arguments)
    with elected() as is_elected:
        if arguments.colocated and not is_elected:
            print("another backend of yours runs already", file=sys.stderr)
            return 0
        listener = listen(config.server, _colocated_token() if arguments.colocated else ())
        with contextlib.closing(listener.socket):
            planned = plan_local(config)
            announces = is_elected and is_loopback(config.server.host)
            serving = _Serving(config, listener, planned, announces)
            # What is loaded by now lives as long as the process. Left to the garbage collector, it
            # makes each full collection stall every stream for tens of milliseconds.
            gc.freeze()
            gc.set_threshold(*_GC_THRESHOLDS)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                return runner.run(serving.until_ended())


class _Serving:
    """One run of the server, and what the person who started it sees."""

    def __init__(
        self,
        config: Config,
        listener: Listener,
        planned: tuple[PlannedReplica, ...],
        announces: bool,
    ) -> None:
        self._config = config
        self._listener = listener
        self._planned = planned
        self._announces = announces
        self._began = monotonic()

    async def until_ended(self) -> int:
        """Return the exit status."""
        signals = Signals(self._reload)
        signals.listen()
        async with running_backend(
            self._config, self._listener, self._planned, self._report
        ) as backend:
            self._report(f"listening on {self._listener.url}")
            found = announced(self._listener) if self._announces else contextlib.nullcontext()
            async with found:
                await self._wait(backend, signals.stop)
            await backend.drain.run(self._config.server.drain_s, signals.hurry, self._report)
            self._report("stopping")
        return 0

    async def _wait(self, backend: Backend, stop: asyncio.Event) -> None:
        """Return when the server is to end. Raises EngineError."""
        greet = asyncio.create_task(self._greet(backend))
        stopped = asyncio.create_task(stop.wait())
        failed = asyncio.create_task(failed_for_good(backend))
        idled = asyncio.create_task(idle(backend, self._config.server.idle_exit_s))
        tasks = (greet, stopped, failed, idled)
        await asyncio.wait(tasks[1:], return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        if failed.done() and not failed.cancelled():
            raise failed.result()
        if not stopped.done():
            self._report(f"idle for {self._config.server.idle_exit_s:g} s: shutting down")

    def _reload(self) -> None:
        for news in self._listener.credentials.reload():
            self._report(news)

    async def _greet(self, backend: Backend) -> None:
        await backend.fleet.first_up.wait()
        token_file = self._config.server.token_file
        print(greeting(self._listener.url, token_file, self._announces), flush=True)

    def _report(self, text: str) -> None:
        print(f"[{monotonic() - self._began:6.1f} s] {text}", file=sys.stderr, flush=True)


def _colocated_token() -> tuple[str]:
    return (secrets.token_urlsafe(32),)

"""`cato serve`: the gateway, the scheduler and the fleet."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import secrets
import sys
from functools import partial
from typing import TYPE_CHECKING

import uvloop

from cato_backend.app.backend import Backend, failed_for_good, idle, running_backend
from cato_backend.app.greeting import greeting, token_command
from cato_backend.app.loopback_token import loopback_token
from cato_backend.app.process import Reloading, ServiceManager, Signals, announced, elected
from cato_backend.clock import monotonic
from cato_backend.commands.arguments import Parser
from cato_backend.commands.serve_arguments import add_arguments
from cato_backend.commands.serve_config import read_again, serve_config
from cato_backend.commands.team_files import team_settings
from cato_backend.config import Config, OidcConfig, describe_config
from cato_backend.fleet.launch import PlannedReplica, plan_local
from cato_backend.fleet.ray_launch import plan_on_ray
from cato_backend.gateway.server import Listener, listen
from cato_backend.logs import LogFormat, set_up, tell_news
from cato_backend.team.live import LiveTeams
from cato_backend.wire.addresses import is_loopback

if TYPE_CHECKING:
    from cato_backend.sign_in.sign_in import SignIn

SUMMARY = "serve AI coding tasks by their deadlines, on vLLM replicas"
_GC_THRESHOLDS = (20_000, 20, 50)
"""A request allocates some hundred objects that are freed by their counts, and no cycles."""


def configure(parser: Parser) -> None:
    """Add the arguments."""
    add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGINT, SIGTERM, or until nothing is left to serve with."""
    if arguments.help_config:
        print("\n".join(describe_config()))
        return 0
    began, signals = monotonic(), Signals()
    set_up(LogFormat(arguments.log_format or "text"), arguments.log_level or "info", began)
    config = serve_config(arguments)
    set_up(LogFormat(config.log.format), config.log.level, began)
    with elected() as is_elected:
        if arguments.colocated and not is_elected:
            print("another backend of yours runs already", file=sys.stderr)
            return 0
        listener = _listener(config, is_colocated=arguments.colocated)
        with contextlib.closing(listener.socket):
            planned = plan_on_ray(config) if config.ray.address else plan_local(config)
            announces = is_elected and is_loopback(config.server.host)
            reloading = Reloading(partial(read_again, arguments), team_settings, began)
            serving = _Serving(config, listener, planned, announces, reloading, signals)
            # What is loaded by now lives as long as the process. Left to the garbage collector, it
            # makes each full collection stall every stream for tens of milliseconds.
            gc.freeze()
            gc.set_threshold(*_GC_THRESHOLDS)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                return runner.run(serving.until_ended())


class _Serving:
    """One run of the server, and its messages to the person who started it."""

    def __init__(
        self,
        config: Config,
        listener: Listener,
        planned: tuple[PlannedReplica, ...],
        announces: bool,
        reloading: Reloading,
        signals: Signals,
    ) -> None:
        self._config = config
        self._listener = listener
        self._planned = planned
        self._announces = announces
        self._manager = ServiceManager()
        self._reloading = reloading
        self._signals = signals
        self._configuring: set[asyncio.Task[None]] = set()

    async def until_ended(self) -> int:
        """Return the exit status."""
        signals = self._signals
        signals.listen()
        watchdog = asyncio.create_task(self._manager.watch())
        async with running_backend(
            self._config, self._listener, self._planned, self._report
        ) as backend:
            self._report(f"listening on {self._listener.url}")
            self._manager.ready()
            signals.serves(partial(self._reload, backend))
            found = announced(self._listener) if self._announces else contextlib.nullcontext()
            async with found:
                await self._wait(backend, signals.stop)
            self._manager.stopping()
            drain_s = backend.gateway.config.server.drain_s
            await backend.gateway.drain.run(drain_s, signals.hurry, self._report)
            self._report("stopping")
        watchdog.cancel()
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

    def _reload(self, backend: Backend) -> None:
        self._manager.reloading()
        try:
            news = self._listener.credentials.reload()
            self._report(self._reloading.reload(backend.gateway))
            if backend.fronts is None:
                self._reloaded(news)
                return
        except BaseException:
            self._manager.ready()
            raise
        # Fronts read the certificate themselves.
        configuring = asyncio.create_task(backend.fronts.configure())
        self._configuring.add(configuring)
        configuring.add_done_callback(lambda _: self._reloaded(news))
        configuring.add_done_callback(self._configuring.discard)

    def _reloaded(self, news: list[str]) -> None:
        for each in news:
            self._report(each)
        self._manager.ready()

    async def _greet(self, backend: Backend) -> None:
        if backend.scale_from_zero.starts_alone:
            await backend.fleet.first_up.wait()
        credentials = self._listener.credentials
        token = token_command(self._config.server, needed=credentials.needs_token)
        print(greeting(self._listener.url, token, self._announces), flush=True)

    def _report(self, text: str) -> None:
        self._manager.status(text)
        tell_news(text)


def _listener(config: Config, *, is_colocated: bool) -> Listener:
    """Return the bound listener. Raises ConfigError.

    A colocated backend serves one person, who has one token, and knows no team.
    """
    if is_colocated:
        return listen(config.server, (secrets.token_urlsafe(32),))
    token = loopback_token(config.server)
    own = () if token is None else (token,)
    teams = LiveTeams(team_settings(config.team))
    return listen(config.server, own, teams=teams, sign_in=_sign_in(config.oidc, teams))


def _sign_in(config: OidcConfig, teams: LiveTeams) -> SignIn | None:
    """Return the sign-in by a provider; None where none is configured. Raises ConfigError."""
    if not config.issuer:
        return None
    # It needs packages of the extra [oidc].
    from cato_backend.sign_in.sign_in import make_sign_in

    return make_sign_in(config, teams)

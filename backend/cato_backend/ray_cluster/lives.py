"""Lives of replicas in the cluster, each with a thread that starts, watches and ends it."""

from __future__ import annotations

import base64
import importlib
import threading
from collections.abc import Callable
from typing import Any

from cato_backend.ray_cluster.host import EngineHost
from cato_backend.ray_cluster.orders import NAMESPACE, LifeOrder

LOOK_S = 1.0
"""Between two looks at an engine."""

_CALL_S = 10.0
"""Longest wait for an actor's answer to a look."""

_STOP_S = 15.0

_RELEASE_S = 5.0
"""Longest wait for the head to release what a life had."""

_PLACE_S = 2.0

_BEGIN_ENDS_S = 5.0
"""Until what a life is doing has noticed that it is to end."""


def ray_module() -> Any:
    """Return the package `ray`. Raises ModuleNotFoundError."""
    return importlib.import_module("ray")


def placement() -> Any:
    """Return Ray's functions for placement groups."""
    return importlib.import_module("ray.util.placement_group")


def group_strategy(group: Any) -> Any:
    """Return the strategy that schedules an actor into the first bundle of `group`."""
    strategies = importlib.import_module("ray.util.scheduling_strategies")
    return strategies.PlacementGroupSchedulingStrategy(group, 0)


def exceptions() -> Any:
    """Return Ray's exceptions."""
    return importlib.import_module("ray.exceptions")


def in_a_line(error: Exception, most: int = 400) -> str:
    """Return the first characters of one of Ray's errors, which may hold pages, in one line."""
    return " ".join(str(error).split())[:most] or type(error).__name__


class Lives:
    """All lives that this process knows. `events` is called from any thread."""

    def __init__(self, ray: Any, events: Callable[..., None]) -> None:
        self._ray = ray
        self._events = events
        self._lives: dict[str, ActorLife] = {}

    def start(self, order: LifeOrder) -> None:
        """Begin a life; return at once."""
        life = self._lives[order.life] = ActorLife(self._ray, self._events, order.life)
        life.run(lambda: life.start(order))

    def adopt(self, name: str, offset: int) -> None:
        """Go on with a life that another agent began; return at once."""
        life = self._lives[name] = ActorLife(self._ray, self._events, name)
        life.run(lambda: life.adopt(offset))

    def end(self, name: str) -> None:
        """End a life, known or not; return at once."""
        life = self._lives.pop(name, None) or ActorLife(self._ray, self._events, name)
        life.end()

    def end_all(self) -> None:
        """End all lives, side by side; return once they are over, or take too long."""
        lives, self._lives = list(self._lives.values()), {}
        for life in lives:
            life.end()
        for life in lives:
            life.over.wait(_STOP_S)


class ActorLife:
    """One life: a placement group and an actor, both of its name."""

    def __init__(self, ray: Any, events: Callable[..., None], name: str) -> None:
        self._ray = ray
        self._events = events
        self._name = name
        self._told_to_end = threading.Event()
        self.over = threading.Event()
        """Set once nothing of it is left in the cluster."""
        self._thread: threading.Thread | None = None
        self._actor: Any = None

    def run(self, begin: Callable[[], None]) -> None:
        """Begin it in a thread of its own."""
        self._thread = threading.Thread(target=self._guarded, args=(begin,), daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Let it end; return at once."""
        self._told_to_end.set()
        threading.Thread(target=self._end, daemon=True).start()

    def start(self, order: LifeOrder) -> None:
        """Place the actor, start the engine, and watch it."""
        group = placement().placement_group(
            [order.share.bundle], name=self._name, lifetime="detached"
        )
        if not self._wait_placed(group, order):
            return
        actor = self._actor = self._make_actor(group, order)
        address = self._result(actor.address.remote())
        url = self._result(actor.start.remote(address))
        self._events("started", life=self._name, url=url, node=address)
        self._watch(0)

    def adopt(self, offset: int) -> None:
        """Watch the actor, if there still is one."""
        self._find()
        self._watch(offset)

    def _guarded(self, begin: Callable[[], None]) -> None:
        """Tell what ended it, unless that was an order."""
        errors = exceptions()
        try:
            begin()
        except Exception as error:  # noqa: BLE001 - whatever Ray raises is told to the gateway
            if self._told_to_end.is_set():
                return
            is_ours = isinstance(error, errors.RayTaskError | errors.RuntimeEnvSetupError)
            event = "failed" if is_ours else "lost"
            text = in_a_line(getattr(error, "cause", None) or error)
            what = "" if is_ours else "its node or its actor died: "
            self._events(event, life=self._name, text=what + text)

    def _wait_placed(self, group: Any, order: LifeOrder) -> bool:
        """Return whether it was placed before it was told to end."""
        is_told = False
        while not group.wait(_PLACE_S):
            if self._told_to_end.is_set():
                return False
            if not is_told:
                is_told = True
                self._events("pending", life=self._name, text=self._lacks(order))
        return not self._told_to_end.is_set()

    def _lacks(self, order: LifeOrder) -> str:
        total = self._ray.cluster_resources()
        free = self._ray.available_resources()
        said = [
            f"{free.get(name, 0):g} of {total.get(name, 0):g} {name} free"
            for name in order.share.bundle
        ]
        return f"waits for {order.share} on one node of the Ray cluster: {', '.join(said)}"

    def _make_actor(self, group: Any, order: LifeOrder) -> Any:
        share = order.share
        options = {"runtime_env": dict(share.runtime_env)} if share.runtime_env else {}
        return (
            self._ray.remote(EngineHost)
            .options(
                name=self._name,
                namespace=NAMESPACE,
                lifetime="detached",
                num_cpus=share.cpus,
                num_gpus=share.gpus,
                max_restarts=0,
                scheduling_strategy=group_strategy(group),
                **options,
            )
            .remote(order.to_json())
        )

    def _result(self, answer: Any) -> Any:
        """Wait for an answer, as long as it is not told to end."""
        while not self._ray.wait([answer], timeout=_PLACE_S)[0]:
            if self._told_to_end.is_set():
                raise TimeoutError("it was told to end")
        return self._ray.get(answer)

    def _watch(self, offset: int) -> None:
        """Pass on the log until the engine ends, or it is told to end."""
        errors = exceptions()
        while not self._told_to_end.wait(LOOK_S):
            try:
                looked = self._actor.look.remote(offset)
                status, offset, log = self._ray.get(looked, timeout=_CALL_S)
            except (errors.ActorUnavailableError, errors.GetTimeoutError):
                continue  # The node may be dead; then the head says so before long.
            if log:
                data = base64.b64encode(log).decode()
                self._events("log", life=self._name, offset=offset, data=data)
            if status is not None and not log:
                self._events("ended", life=self._name, status=status)
                return

    def _end(self) -> None:
        """Stop the engine, then remove actor and placement group, as far as there are any."""
        if self._thread is not None:
            self._thread.join(_BEGIN_ENDS_S)
        # The actor itself answers where the head is gone; the rest needs the head.
        if self._actor is not None:
            self._ignoring(self._stop)
        release = threading.Thread(target=self._release, daemon=True)
        release.start()
        release.join(_RELEASE_S)
        self.over.set()
        self._events("gone", life=self._name)

    def _stop(self) -> None:
        self._ray.get(self._actor.stop.remote(), timeout=_STOP_S)

    def _release(self) -> None:
        actor = self._actor
        if actor is None and (actor := self._ignoring(self._find)) is not None:
            self._ignoring(self._stop)
        if actor is not None:
            self._ignoring(lambda: self._ray.kill(actor))
        self._ignoring(self._remove_group)

    def _find(self) -> Any:
        self._actor = self._ray.get_actor(self._name, namespace=NAMESPACE)
        return self._actor

    def _remove_group(self) -> None:
        groups = placement()
        groups.remove_placement_group(groups.get_placement_group(self._name))

    def _ignoring(self, call: Callable[[], Any]) -> Any:
        """Call; whatever of it Ray no longer knows is gone."""
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - whatever Ray raises is told to the gateway
            self._events("note", life=self._name, text=in_a_line(error))
            return None

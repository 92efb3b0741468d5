"""The actor on a node: one engine process there, under a warden, which dies with the actor."""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cato_backend.engines.command import EmulationSpec, EngineSpec, Invocation, Port, invocation
from cato_backend.engines.environments import find_environment
from cato_backend.engines.pip import clean_environment
from cato_backend.errors import EngineError
from cato_backend.model_store.registry import model_path
from cato_backend.ray_cluster.orders import LifeOrder, order_from_json
from cato_backend.replicas.local import STOP_TIMEOUT_S, free_port
from cato_backend.wire.state_files import state_dir

_MOST_LOG_BYTES = 256 * 1024
"""Of the log, in one answer."""
_ANSWER_S = 1.0


class EngineHost:
    """Ray makes an actor of it. Its methods block, and are called one at a time."""

    def __init__(self, order: Mapping[str, Any]) -> None:
        self._order: LifeOrder = order_from_json(order)
        self._warden: subprocess.Popen[bytes] | None = None
        self._log = state_dir() / "logs" / "ray" / f"{self._order.life}.log"
        self._asked_at = time.monotonic()
        self._stopped = threading.Event()
        threading.Thread(target=self._end_when_orphaned, daemon=True).start()

    def address(self) -> str:
        """Return the address at which the other nodes reach this one."""
        return str(importlib.import_module("ray.util").get_node_ip_address())

    def start(self, address: str) -> str:
        """Start the engine at this address of the node; return its URL. Raises EngineError."""
        order = self._order
        port = free_port(address)
        model = replace(order.model, path=self._model_path())
        command = invocation(model, self._engine(), Port(port, address), order.api_key)
        self._warden = _start_warden(command, self._log)
        assert self._warden.stdout is not None
        if not self._warden.stdout.readline().strip().isdigit():
            raise EngineError(f"cannot run {command.argv[0]}: is the engine's environment whole?")
        return f"http://{address}:{port}"

    def look(self, offset: int) -> tuple[int | None, int, bytes]:
        """Return the engine's exit status once it is dead, and the log from `offset` on.

        The log comes with the offset that is next.
        """
        self._asked_at = time.monotonic()
        status = None if self._warden is None else self._warden.poll()
        return status, *read_on(self._log, offset)

    def stop(self) -> None:
        """End the engine; return when nothing of it is left."""
        if self._warden is not None and self._warden.stdin is not None:
            self._warden.stdin.close()
            self._warden.wait(STOP_TIMEOUT_S)
        self._log.unlink(missing_ok=True)
        self._stopped.set()

    def _engine(self) -> EngineSpec | EmulationSpec:
        engine = self._order.engine
        if isinstance(engine, EmulationSpec):
            return engine
        return replace(engine, python=self._python(engine))

    def _python(self, engine: EngineSpec) -> Path:
        """Return the interpreter that has vLLM: that of the runtime environment, or an own one."""
        if importlib.util.find_spec("vllm") is not None:
            return Path(sys.executable)
        try:
            return find_environment(engine.kind).python
        except EngineError as error:
            raise EngineError(f"{error} on this node, or name vllm in ray.runtime_env") from error

    def _model_path(self) -> str:
        model, engine = self._order.model, self._order.engine
        is_emulated = isinstance(engine, EmulationSpec)
        return model.path if is_emulated else model_path(model.path, engine.arguments)

    def _end_when_orphaned(self) -> None:
        """End this process, and the engine with it, once the backend has not asked for too long."""
        orphan_s = self._order.share.orphan_s
        while (left_s := self._asked_at + orphan_s - time.monotonic()) > 0:
            if self._stopped.wait(left_s):
                time.sleep(_ANSWER_S)  # For the answer of `stop` to leave.
                break
        os._exit(0)


def read_on(log: Path, offset: int) -> tuple[int, bytes]:
    """Return what a log holds from `offset` on, after the offset that is next.

    A log that was begun again, because it had become too large, is read from its beginning.
    """
    try:
        with log.open("rb") as file:
            file.seek(0 if offset > os.fstat(file.fileno()).st_size else offset)
            data = file.read(_MOST_LOG_BYTES)
            return file.tell(), data
    except FileNotFoundError:
        return offset, b""


def _start_warden(command: Invocation, log: Path) -> subprocess.Popen[bytes]:
    warden = (sys.executable, "-P", "-m", "cato_backend.replicas.warden", "--log", log)
    return subprocess.Popen(
        (*warden, "--", *command.argv),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**clean_environment(), **command.environment},
        start_new_session=True,
    )

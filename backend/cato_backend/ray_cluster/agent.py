"""The process that speaks to Ray: `python -m cato_backend.ray_cluster.agent ADDRESS`.

Standard input and output carry one JSON object a line (orders in, events out). When standard input
closes, the gateway is gone: the agent ends all replicas that it knows, and itself. All of Ray's
calls block; each replica has a thread of its own, and a thread more watches the head.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Mapping
from typing import Any, TextIO

from cato_backend.ray_cluster.lives import Lives, in_a_line, ray_module
from cato_backend.ray_cluster.orders import NAMESPACE, order_from_json

_LOOK_S = 5.0
_HEAD_ANSWERS_S = 8.0
"""Without an answer for so long, the head counts as gone."""


class Events:
    """Writes events. Thread-safe."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._lock = threading.Lock()

    def __call__(self, event: str, **values: object) -> None:
        """Write one event."""
        line = json.dumps({"event": event, **values})
        with self._lock:
            self._file.write(line + "\n")
            self._file.flush()


def main() -> int:
    """Connect, and carry out orders until standard input closes."""
    events = Events(_own_stdout())
    try:
        ray = ray_module()
        ray.init(
            address=sys.argv[1],
            namespace=NAMESPACE,
            log_to_driver=False,
            logging_level="ERROR",
        )
    except Exception as error:  # noqa: BLE001 - whatever Ray raises is told to the gateway
        events("refused", text=in_a_line(error, 600), is_final="mismatch" in str(error).lower())
        return 1
    nodes = [node for node in ray.nodes() if node["Alive"]]
    events("connected", nodes=len(nodes), version=str(ray.__version__))
    threading.Thread(target=_watch_head, args=(ray, events), daemon=True).start()
    lives = Lives(ray, events)
    for line in sys.stdin:
        _obey(lives, json.loads(line))
    lives.end_all()
    # Ray's own threads may hang where the head is gone.
    os._exit(0)


def _obey(lives: Lives, order: Mapping[str, Any]) -> None:
    if order["do"] == "start":
        lives.start(order_from_json(order["order"]))
    elif order["do"] == "adopt":
        lives.adopt(order["life"], order["offset"])
    else:
        lives.end(order["life"])


def _own_stdout() -> TextIO:
    """Return standard output; all else that is written there goes to standard error now."""
    own = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return own


def _watch_head(ray: Any, events: Events) -> None:
    """Tell when the head stops to answer, and when it answers again."""
    is_up, pause = True, threading.Event()
    while True:
        answered = threading.Event()
        threading.Thread(target=_ask_head, args=(ray, events, answered), daemon=True).start()
        if answered.wait(_HEAD_ANSWERS_S) is not is_up:
            is_up = not is_up
            events("head", is_up=is_up)
        if not is_up:
            answered.wait()
            continue
        pause.wait(_LOOK_S)


def _ask_head(ray: Any, events: Events, answered: threading.Event) -> None:
    while not answered.is_set():
        try:
            total, free = ray.cluster_resources(), ray.available_resources()
            answered.set()
            events("resources", total=total, free=free)
        except Exception:  # noqa: BLE001 - any failure means that it did not answer
            answered.wait(1.0)


if __name__ == "__main__":
    sys.exit(main())

"""A Ray cluster of several nodes on this machine, run by Ray's own interpreter.

    python cluster.py    # prints one JSON object a line; obeys one command a line

`add` adds a node with room for one replica, `kill PID` kills the node on which a process runs, with
all that runs there, `kill-head` the head, `restart` everything, and starts another cluster.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from ray.cluster_utils import Cluster

_STORE_BYTES = 100 * 1024 * 1024


def say(**values: object) -> None:
    print(json.dumps(values), flush=True)


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def is_below(pid: int, ancestor: int) -> bool:
    while pid > 1:
        if pid == ancestor:
            return True
        pid = parent_of(pid)
    return False


def raylet_pid(node: Any) -> int:
    (raylet,) = node.all_processes["raylet"]
    return int(raylet.process.pid)


class Nodes:
    """A head without room for replicas, through which the agent connects, and the other nodes."""

    def __init__(self) -> None:
        self._start_head()

    def add(self) -> None:
        self._nodes.append(self._cluster.add_node(num_cpus=1, object_store_memory=_STORE_BYTES))

    def kill(self, pid: int) -> None:
        (node,) = (each for each in self._nodes if is_below(pid, raylet_pid(each)))
        self._nodes.remove(node)
        self._cluster.remove_node(node, allow_graceful=False)

    def kill_head(self) -> None:
        self._cluster.remove_node(self._head, allow_graceful=False)

    def restart(self) -> None:
        """Another cluster at the same address; of the former one nothing is left."""
        self.kill_all()
        self._start_head(gcs_server_port=int(self.address.rpartition(":")[2]))

    def kill_all(self) -> None:
        """Not `shutdown`: where the head is gone, Ray would wait for it."""
        for node in (self._head, *self._nodes):
            node.kill_all_processes(check_alive=False, allow_graceful=False)

    def _start_head(self, **options: Any) -> None:
        self._cluster = Cluster()
        self._head = self._cluster.add_node(
            num_cpus=0, object_store_memory=_STORE_BYTES, include_dashboard=False, **options
        )
        self._nodes: list[Any] = []
        self.address = str(self._cluster.address)


def main() -> None:
    nodes = Nodes()
    say(address=nodes.address)
    for line in sys.stdin:
        command, *arguments = line.split()
        if command == "add":
            nodes.add()
        elif command == "kill":
            nodes.kill(int(arguments[0]))
        elif command == "kill-head":
            nodes.kill_head()
        elif command == "restart":
            nodes.restart()
        say(done=command)
    nodes.kill_all()
    os._exit(0)


if __name__ == "__main__":
    main()

"""Two real vLLM replicas on this machine's CPU behind `cato serve`, one of which is killed midway:
`python -m bench.real_pair`. A sanity check that ranks nothing: no request may be lost,
and `cato replay` must decide from the event log what was decided live."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from bench.machine import about, save
from bench.processes import Measured, free_port, running, serve_command
from cato_backend.commands.arguments import output_file
from cato_backend.replicas.warden import descendants, kill

_CONFIG = """\
[engine]
kind = "cpu"
[[models]]
name = "cato-embedded"
path = "embedded"
replicas = 2
"""
_ENGINE = b"vllm.entrypoints.openai.api_server"
_START_TIMEOUT_S = 600.0


def engines(of: int) -> list[int]:
    """The API servers of vLLM among the processes below one, oldest first."""
    lines = {pid: _command_line(pid) for pid in descendants(of)}
    # A warden names its engine's command, too, behind a double dash.
    return sorted(pid for pid, line in lines.items() if _ENGINE in line and b"--" not in line)


def _command_line(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


def metrics(url: str) -> dict[str, float]:
    """Each of the gateway's own sums, over all labels but the task's outcome."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as response:
        page: str = response.read().decode()
    sums: dict[str, float] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            name = " ".join([sample.name, *filter(None, [sample.labels.get("outcome")])])
            sums[name] = sums.get(name, 0.0) + sample.value
    return sums


def wait_for_both(url: str, serve: Measured, log: Path) -> float:
    """Seconds until two replicas take requests. Raises RuntimeError."""
    began = time.monotonic()
    while time.monotonic() - began < _START_TIMEOUT_S and serve.status is None:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5) as response:
                if len(json.load(response)["replicas"]) == 2:
                    return time.monotonic() - began
        except OSError:  # Refused at first, then 503 until one is up.
            pass
        time.sleep(1)
    raise RuntimeError(f"process {serve.pid}: no two replicas:\n{log.read_text()}")


def load(url: str, arguments: argparse.Namespace, out: Path) -> subprocess.Popen[str]:
    """`cato load` with the four tasks, as a process."""
    command = [sys.executable, "-m", "cato_backend", "load", "--url", url, "--workload", "mix"]
    command += ["--rate", str(arguments.rate), "--duration", str(arguments.seconds)]
    command += ["--seed", str(arguments.seed), "--out", str(out)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Starts all, kills one replica in the middle of the load, tells what became of it."""
    (folder / "cato.toml").write_text(_CONFIG)
    log, out, port = folder / "serve.log", folder / "load.json", free_port()
    url = f"http://127.0.0.1:{port}"
    given = ("--config", str(folder / "cato.toml"), "--event-log", str(folder / "events"))
    with running(serve_command(port, *given), log) as serve:
        started_s = wait_for_both(url, serve, log)
        print(f"two replicas after {started_s:.0f} s", file=sys.stderr)
        loading = load(url, arguments, out)
        time.sleep(arguments.seconds / 2)
        killed = engines(serve.pid)[0]
        kill(killed)
        print(f"killed {killed}", file=sys.stderr)
        table, _ = loading.communicate(timeout=arguments.seconds + 120)
        found = metrics(url)
    replay = [sys.executable, "-m", "cato_backend", "replay", str(folder / "events")]
    replayed = subprocess.run(replay, capture_output=True, text=True, check=False)
    return {
        "started_s": started_s,
        "table": table,
        "retries": found.get("cato_retries_total", 0.0),
        "resumed": found.get("cato_streams_resumed_total", 0.0),
        "outcomes": {
            name.partition(" ")[2]: value
            for name, value in found.items()
            if name.startswith("cato_requests_total ")
        },
        "load": json.loads(out.read_text()),
        "replayed": replayed.stdout.splitlines()[-1:],
        "said": log.read_text().splitlines(),
    }


def lost(found: dict[str, Any]) -> int:
    """Requests that ended neither with their answer nor with a refusal that says why."""
    endings: dict[str, int] = found["load"]["score"]["overall"]["endings"]
    answered = ("finished", "cancelled", "rejected")
    return sum(n for ending, n in endings.items() if not ending.startswith(answered))


def main() -> int:
    """Command line; the exit status is 1 where a request was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=1.0, help="requests per second")
    parser.add_argument("--seconds", type=float, default=60.0, help="of arrivals")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=output_file, help="write the raw results there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(arguments, Path(folder))
    if arguments.json:
        save(arguments.json, found)
    print("\n".join(f"{name}: {value}" for name, value in about().items()))
    print(found["table"])
    print(f"attempts broken off {found['retries']:.0f}, streams resumed {found['resumed']:.0f}, ")
    print(f"outcomes at the gateway {found['outcomes']}, replay: {found['replayed']}")
    print(f"lost: {lost(found)}")
    return 1 if lost(found) else 0


if __name__ == "__main__":
    raise SystemExit(main())

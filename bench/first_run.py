"""What `make run` costs from a clean clone: seconds and MB by step.

python -m bench.first_run                # everything anew, the engine too (a big download)
python -m bench.first_run --keep-cache   # with the user's own cache: the engine is there
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from bench.machine import save
from cato_backend.commands.arguments import output_file

ROOT = Path(__file__).parents[1]
MEGABYTE = 1_000_000
# What `make run` prints when a step begins; the last one says that it is over.
MARKS = {
    "==> making": ".venv",
    "==> installing": "CATO and its libraries",
    "==> the engine": "the engine's environment",
    "==> serving": "start of the replica",
    "CATO serves": "",
}


def main() -> int:
    """Runs `make run` twice, prints a table, and leaves nothing behind."""
    parser = argparse.ArgumentParser(description="what `make run` costs from a clean clone")
    parser.add_argument("--keep-cache", action="store_true", help="use the cache as it is")
    parser.add_argument("--json", type=output_file, help="write the raw results there")
    arguments = parser.parse_args()
    found = dict[str, dict[str, float]]()
    with tempfile.TemporaryDirectory(prefix="cato-first-run-") as folder:
        clone, cache = Path(folder) / "clone", Path(folder) / "cache"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        environment = {**os.environ, "CATO_STATE_DIR": f"{folder}/state"}
        if not arguments.keep_cache:
            environment["CATO_CACHE_DIR"] = str(cache)
        for title in ("first", "second"):
            print(f"\n{title} `make run`", flush=True)
            found[title] = dict(run(clone, environment))
            for step, seconds in found[title].items():
                print(f"  {step:28} {seconds:7.1f} s", flush=True)
        sizes = {".venv": megabytes(clone / ".venv")}
        if not arguments.keep_cache:
            sizes["the engine"] = megabytes(cache)
        for name, size in sizes.items():
            print(f"  {name:28} {size:7.0f} MB")
    if arguments.json:
        save(arguments.json, {"seconds": found, "megabytes": sizes}, ("cato-lsp",))
    return 0


def run(clone: Path, environment: dict[str, str]) -> list[tuple[str, float]]:
    """Starts `make run`, waits until it serves, ends it; returns each step and its seconds."""
    began = time.monotonic()
    moments = [("", began)]
    with subprocess.Popen(
        ["make", "run", "PORT=0"],
        cwd=clone,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        said: list[str] = []
        for line in process.stdout:
            said.append(line)
            moments += [(step, time.monotonic()) for mark, step in MARKS.items() if mark in line]
            if "CATO serves" in line:
                break
        else:
            raise RuntimeError("".join(said[-20:]))
        os.killpg(process.pid, signal.SIGINT)
    pairs = pairwise(moments[1:])
    steps = [(name, end - start) for (name, start), (_, end) in pairs]
    return [*steps, ("all of it", moments[-1][1] - began)]


def megabytes(folder: Path) -> float:
    """Disk space of a folder, links not followed."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in files) / MEGABYTE


if __name__ == "__main__":
    raise SystemExit(main())

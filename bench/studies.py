"""The policies in virtual time: `python -m bench.studies NAME... [--trace CSV]`.

Runs `cato simulate` with the arguments of each study and keeps the scores in
`bench/results/simulate_NAME.json`. `azure` needs the code trace of 2023 from Azure's public data.
Seeds 1 to 3 are held out: the policy was tuned on others.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.machine import save

RESULTS = Path(__file__).parent / "results"
_RIVALS = "cato,qoserve,prefix-affinity-priorities,power-of-two"
_SPLITS = "--split 1,4,2,1 --split 2,4,1,1 --split 1,4,1,2 --split 1,5,1,1 --split 2,3,2,1"
_LEAN = "--workload typing --context lean --duration 20 --warmup 4"
STUDIES: dict[str, tuple[str, ...]] = {
    "mix": ("--policy all --oracle --rates 12,20,26,32,40 --seeds 2 --duration 40",),
    "bursts": (f"--policy {_RIVALS} --arrivals gamma:5 --rates 26 --seeds 3 --duration 40",),
    "azure": (
        f"--policy {_RIVALS} --arrivals trace --trace TRACE --rates 20,26 --seeds 2 --duration 120",
    ),
    "mmpp": (f"--policy {_RIVALS} --arrivals mmpp --rates 20,26 --seeds 2 --duration 120",),
    "static": (
        f"--policy cato {_SPLITS} --replicas 8 --rates 36,42,48,54,60 --seeds 2 --duration 40",
    ),
    "ablation": ("--policy qoserve --ablate all --oracle --rates 32 --seeds 3 --duration 40",),
    "typing": (
        f"{_LEAN} --policy cato,prefix-affinity-priorities --oracle "
        "--developers 300,340,380,420,460 --seeds 3",
        f"{_LEAN} --policy power-of-two,least-requests --developers 160,200,300,340,380 --seeds 2",
    ),
}


def main() -> None:
    """Runs the studies and writes their results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("studies", nargs="+", choices=sorted(STUDIES), metavar="NAME")
    parser.add_argument("--trace", type=Path, help="for azure")
    arguments = parser.parse_args()
    if "azure" in arguments.studies and arguments.trace is None:
        parser.error("azure needs --trace CSV")
    for name in arguments.studies:
        found = [_simulated(line, arguments.trace) for line in STUDIES[name]]
        save(
            RESULTS / f"simulate_{name}.json", _joined(STUDIES[name], found), ("cato-lsp", "numpy")
        )


def _simulated(line: str, trace: Path | None) -> dict[str, Any]:
    words = [str(trace) if word == "TRACE" else word for word in line.split()]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "cato_backend", "simulate", *words, "--out", folder]
        subprocess.run(command, check=True)
        study: dict[str, Any] = json.loads((Path(folder) / "study.json").read_text())
    return study


def _joined(lines: tuple[str, ...], studies: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "simulated": [f"cato simulate {line}" for line in lines],
        "seeds": sorted({run["seed"] for study in studies for run in study["runs"]}),
        "points": [point for study in studies for point in study["points"]],
        "runs": [_short(run) for study in studies for run in study["runs"]],
    }


def _short(run: dict[str, Any]) -> dict[str, Any]:
    """A run without its latencies: goodput of all and of each class."""
    score = run["score"]
    return {
        **{name: run[name] for name in ("policy", "load", "seed")},
        "goodput": score["overall"]["goodput"],
        "usable": score["classes"].get("completion", {}).get("usable"),
        "classes": {task: found["goodput"] for task, found in score["classes"].items()},
    }


if __name__ == "__main__":
    main()

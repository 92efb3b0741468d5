"""A file of runs that may be measured in several goes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.machine import save
from cato_backend.errors import ConfigError

Record = dict[str, Any]


@dataclass(slots=True)
class Series:
    """Runs of one workload and setting. `versions`: of the routers."""

    path: Path | None
    arguments: Mapping[str, Any]
    versions: Mapping[str, str]
    runs: list[Record] = field(default_factory=list)

    def read(self) -> None:
        """Takes over the runs of an earlier go. Raises ConfigError where they are of another
        workload or setting."""
        if self.path is None or not self.path.exists():
            return
        document = json.loads(self.path.read_text())
        if document["arguments"] != self.arguments:
            raise ConfigError.of(
                str(self.path), document["arguments"], f"runs of {dict(self.arguments)}"
            )
        self.runs = document["runs"]

    def has(self, router: str, load: float, seed: int) -> bool:
        """Whether there is such a run, and a valid one."""
        return any(_cell(run) == (router, load, seed) and not run["void"] for run in self.runs)

    def add(self, run: Record) -> None:
        """In place of an earlier one of the same router, load and seed, which was void."""
        self.runs = [old for old in self.runs if _cell(old) != _cell(run)] + [run]
        if self.path is not None:
            common = {"arguments": self.arguments, "versions": self.versions}
            save(self.path, {**common, "runs": self.runs})


def _cell(run: Record) -> tuple[str, float, int]:
    return run["router"], run["load"], run["seed"]

"""The replicas: `cato emulate` processes, and how punctual they were."""

from __future__ import annotations

import re
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from math import inf
from pathlib import Path

from bench.processes import running
from cato_backend.profile_files.document import (
    EngineData,
    LawData,
    LimitsData,
    ProfileFile,
    Provenance,
)
from cato_backend.profile_files.files import save_profile
from cato_lab.simulation.fleet import REFERENCE

_BUCKET = re.compile(r'cato_emulate_step_lateness_seconds_bucket\{le="([^"]+)"\} (\S+)')
LATEST_P99_S = 0.005
"""Of a step's tokens; beyond that the machine was measured, not the router."""


def write_profile(path: Path, stretch: float, start_s: float = REFERENCE.start_s) -> Path:
    """The emulators' own law, for a router that takes one."""
    law = replace(
        REFERENCE.law,
        base=REFERENCE.law.base * stretch,
        per_new_token=REFERENCE.law.per_new_token * stretch,
    )
    file = ProfileFile(
        schema_version=1,
        model="cato-emulated",
        hardware="emulated",
        law=LawData.of(law),
        limits=LimitsData.of(REFERENCE.limits),
        kv_bytes_per_token=None,
        start_s=start_s,
        engine=EngineData(name="cato emulate", version="0"),
        made=Provenance(method="measured", how="the emulator's own law", date="2026-01-01"),
        validation="unvalidated",
    )
    save_profile(file, path)
    return path


@contextmanager
def emulators(count: int, speed: float, folder: Path, real_time: int = 0) -> Iterator[list[str]]:
    """Their URLs. `speed`: times as fast as the reference profile. `real_time`: their rank."""
    command = [sys.executable, "-m", "cato_backend", "emulate", "--port", "0"]
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                running(
                    [*command, "--speed", str(speed)], folder / f"replica{index}.log", real_time
                )
            ).first_line()
            for index in range(count)
        ]


def steps_by_lateness(urls: Sequence[str]) -> dict[float, float]:
    """Steps so far that were late by at most so many seconds, over all replicas."""
    steps: dict[float, float] = {}
    for url in urls:
        with urllib.request.urlopen(f"{url}/metrics", timeout=10) as response:
            for bound, count in _BUCKET.findall(response.read().decode()):
                steps[float(bound)] = steps.get(float(bound), 0.0) + float(count)
    return steps


def punctual_share(
    before: Mapping[float, float], after: Mapping[float, float], stretch: float = 1.0
) -> float:
    """Of the steps between the two, the share whose tokens came within `LATEST_P99_S` of the
    workload's time, or the next shorter time that is told apart."""
    steps = after[inf] - before[inf]
    bound = max(bound for bound in after if bound <= LATEST_P99_S * stretch)
    return (after[bound] - before[bound]) / steps if steps else 1.0

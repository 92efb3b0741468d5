"""What runs first in every process of an engine."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cato_backend.engines.command import STARTUP


@pytest.mark.parametrize(
    ("environment", "naps"), [({"VLLM_CPU_KVCACHE_SPACE": "1"}, True), ({}, False)]
)
def test_only_an_engine_on_a_cpu_naps_where_it_would_yield(
    environment: dict[str, str], naps: bool
) -> None:
    told = subprocess.run(
        [sys.executable, "-c", "import os; os.sched_yield(); print(os.sched_yield.__name__)"],
        env={"PYTHONPATH": str(STARTUP), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == ("_nap" if naps else "sched_yield")

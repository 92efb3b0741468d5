"""Every benchmark tells how it is used: its parser can be built."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[3] / "bench"
NEED_MORE = {"bench.gpu_profiles.__main__"}
"""Programs that need packages which are not installed for the tests."""


def _programs() -> list[str]:
    files = [*BENCH.glob("*.py"), *BENCH.glob("*/__main__.py")]
    programs = (file for file in files if '__name__ == "__main__"' in file.read_text())
    return sorted({".".join(_parts(file)) for file in programs} - NEED_MORE)


def _parts(file: Path) -> tuple[str, ...]:
    return file.relative_to(BENCH.parent).with_suffix("").parts


@pytest.mark.parametrize("program", _programs())
def test_a_benchmark_has_help(
    program: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [program, "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(program, run_name="__main__")
    assert ended.value.code == 0
    assert "usage:" in capsys.readouterr().out

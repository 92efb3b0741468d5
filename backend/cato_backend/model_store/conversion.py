"""Converts a fetched file for the engine, in the engine's own environment."""

from __future__ import annotations

import re
import subprocess
from collections import deque
from collections.abc import Callable
from pathlib import Path

from cato_backend.engines.environments import python_in
from cato_backend.engines.pip import clean_environment, run_pip
from cato_backend.errors import EngineError
from cato_backend.model_store.registry import KnownModel

SCRIPT = Path(__file__).parent / "in_engine" / "convert.py"
REQUIRED = ("config.json", "model.safetensors", "tokenizer.json")
_PERCENT = re.compile(r"(\d+)%\|")
_KEPT_LINES = 15


def install_tools(model: KnownModel, environment: Path, folder: Path) -> None:
    """Install what the conversion needs beside the engine into `folder`. Raises EngineError."""
    target = ["install", "--no-deps", "--no-input", "--upgrade", "--target", str(folder)]
    run_pip(environment, [*target, model.gguf], lambda _: None)


def convert(
    model: KnownModel,
    environment: Path,
    file: Path,
    folder: Path,
    tools: Path,
    lock: int,
    on_percent: Callable[[int], None],
) -> None:
    """Fill the empty `folder`. Raises EngineError with the last lines of the conversion.

    The process inherits `lock`, the descriptor of a locked file: while it runs, even after the end
    of this process, no other fetch uses the same folder.
    """
    command = [str(python_in(environment)), str(SCRIPT), str(file), str(folder), model.format]
    last: deque[str] = deque(maxlen=_KEPT_LINES)
    with subprocess.Popen(
        [*command, *model.end_tokens],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**clean_environment(), "PYTHONPATH": str(tools)},
        pass_fds=(lock,),
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            percent = _PERCENT.search(line)
            if percent is not None:
                on_percent(int(percent[1]))
            elif line.strip():
                last.append(line.rstrip())
    _check_end(model, process.returncode, "\n  ".join(last))
    missing = [name for name in REQUIRED if not (folder / name).is_file()]
    if missing:
        raise EngineError(f"{model.name}: the conversion made no {', '.join(missing)}")


def _check_end(model: KnownModel, status: int, said: str) -> None:
    if status < 0:
        raise EngineError(
            f"{model.name}: the conversion was killed by signal {-status}; is there enough memory? "
            f"It needs about 3 GB. Run `cato model fetch {model.name}` to go on"
        )
    if status != 0:
        raise EngineError(
            f"{model.name}: the conversion failed with status {status}; it said last:\n  {said}"
        )

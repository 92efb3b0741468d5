"""Builds an engine's environment atomically. An interrupted build is resumed.

The build has a working name, so that a later run can resume it. It gets its final name once its
imports work. A lock allows one process at a time to build.
"""

from __future__ import annotations

import shutil
import subprocess
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cato_backend.clock import Clock, monotonic
from cato_backend.engines.environments import (
    Environment,
    InstallStep,
    Package,
    Pins,
    engines_dir,
    environment_path,
    exclusive,
    packages_from_json,
    packages_to_json,
    python_in,
    read_environment,
    remove_environment,
    write_marker,
    write_whole,
)
from cato_backend.engines.pip import (
    checked_requirements,
    clean_environment,
    install_step,
    run_pip,
)
from cato_backend.errors import EngineError

IMPORT_TIMEOUT_S = 300


@dataclass(frozen=True, slots=True)
class InstallProgress:
    """Progress of an installation."""

    step: int
    steps: int
    what: str
    """The step's name, or a line of pip's while it runs."""
    elapsed_s: float
    begins: bool
    """Whether a step begins here; otherwise `what` is news from within it."""


OnProgress = Callable[[InstallProgress], None]


def install(pins: Pins, on_progress: OnProgress, clock: Clock = monotonic) -> Environment:
    """Return the environment of `pins`, built if it was not there.

    Raises EngineError: with pip's last lines, or with the failed import's.
    """
    found = _current(pins)
    if found is not None:
        return found
    waiting = _note("another process builds the same environment: waiting for it")
    with exclusive(environment_path(pins), lambda: on_progress(waiting)):
        return _current(pins) or _Build(pins, on_progress, clock).run()


def _current(pins: Pins) -> Environment | None:
    found = read_environment(environment_path(pins))
    return found if found is not None and found.digest == pins.digest else None


def _note(text: str) -> InstallProgress:
    return InstallProgress(step=0, steps=0, what=text, elapsed_s=0.0, begins=True)


class _Build:
    """One build, under the lock."""

    def __init__(self, pins: Pins, on_progress: OnProgress, clock: Clock) -> None:
        self._pins = pins
        self._final = environment_path(pins)
        self._draft = self._final.with_name(f".building-{self._final.name}-{pins.digest}")
        self._on_progress = on_progress
        self._clock = clock
        self._began = clock()
        self._step = 0

    def run(self) -> Environment:
        self._prepare()
        packages = [p for step in self._pins.steps for p in self._install_step(step)]
        self._begin("trying it: importing the engine")
        self._try_imports()
        return self._finish(tuple(packages))

    def _install_step(self, step: InstallStep) -> list[Package]:
        """Install it, or return what an earlier, broken build noted when it had done so."""
        self._begin(step.name)
        note = self._draft / f"cato-step-{self._step}.json"
        if note.exists():
            return packages_from_json(note.read_text(encoding="utf-8"))
        packages = install_step(self._draft, step, self._news)
        write_whole(note, packages_to_json(packages))
        return packages

    def _prepare(self) -> None:
        self._begin("an environment of its own")
        if not python_in(self._draft).exists():
            try:
                venv.create(self._draft, with_pip=True, symlinks=True)
            except (OSError, subprocess.CalledProcessError) as error:
                raise EngineError(
                    f"cannot make a virtual environment at {self._draft}: {error}; "
                    "Debian and Ubuntu need the package python3-venv"
                ) from error
        wanted = checked_requirements([self._pins.pip], self._draft)
        run_pip(self._draft, ["install", *wanted], self._news)

    def _try_imports(self) -> None:
        try:
            try_imports(self._draft, self._pins.imports)
        except EngineError:
            # pip takes what is installed for good: a resumed install could never repair it.
            shutil.rmtree(self._draft)
            raise

    def _finish(self, packages: tuple[Package, ...]) -> Environment:
        if self._final.exists():
            remove_environment(self._final)
        built = Environment(
            path=self._final,
            kind=self._pins.kind,
            version=self._pins.version,
            digest=self._pins.digest,
            megabytes=_megabytes(self._draft),
            built_in_s=round(self._clock() - self._began, 1),
            packages=packages,
        )
        write_marker(built, self._draft)
        self._draft.rename(self._final)
        for abandoned in engines_dir().glob(f".building-{self._final.name}-*"):
            shutil.rmtree(abandoned)
        return built

    def _begin(self, what: str) -> None:
        self._step += 1
        self._tell(what, begins=True)

    def _news(self, line: str) -> None:
        self._tell(line, begins=False)

    def _tell(self, what: str, *, begins: bool) -> None:
        elapsed_s = self._clock() - self._began
        steps = len(self._pins.steps) + 2
        self._on_progress(InstallProgress(self._step, steps, what, elapsed_s, begins))


def try_imports(environment: Path, modules: tuple[str, ...]) -> None:
    """Import `modules` with its own Python. Raises EngineError with the end of the traceback."""
    code = "; ".join(f"import {module}" for module in modules)
    try:
        done = subprocess.run(
            [str(python_in(environment)), "-c", code],
            capture_output=True,
            text=True,
            timeout=IMPORT_TIMEOUT_S,
            env=clean_environment(),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise EngineError(f"importing the engine took over {IMPORT_TIMEOUT_S} s") from error
    if done.returncode != 0:
        last = "\n  ".join(done.stderr.splitlines()[-15:])
        raise EngineError(f"the engine was installed but cannot be imported:\n  {last}")


def _megabytes(folder: Path) -> int:
    size = sum(file.lstat().st_size for file in folder.rglob("*") if not file.is_dir())
    return round(size / 1e6)

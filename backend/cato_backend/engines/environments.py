"""The engine environments of this user: their pinned packages, their paths, which are complete.

An environment is whole when its marker file is there; the marker is written last.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import sys
import tomllib
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Any

from cato_backend.errors import EngineError
from cato_backend.wire.state_files import cache_dir

MARKER = "cato-engine.json"


@contextmanager
def exclusive(path: Path, on_wait: Callable[[], None]) -> Generator[int]:
    """Hold the lock of `path`, whose folder is made; `on_wait` is told where another has it.

    Yields the descriptor that holds the lock: a process that inherits it holds the lock, too.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


class EngineKind(StrEnum):
    """Builds of vLLM."""

    CPU = "cpu"
    GPU = "gpu"


@dataclass(frozen=True, slots=True)
class InstallStep:
    """One call of pip."""

    name: str
    requirements: tuple[str, ...]
    dependencies: bool
    extra_index: str | None


@dataclass(frozen=True, slots=True)
class Pins:
    """Versions and packages of an environment."""

    kind: EngineKind
    version: str
    pip: str
    steps: tuple[InstallStep, ...]
    imports: tuple[str, ...]
    """Modules whose import proves that the environment works."""

    @property
    def digest(self) -> str:
        """Changes when anything of the above does."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def pins_of(kind: EngineKind) -> Pins:
    """Return the pins of `kind`, as shipped with this package."""
    text = resources.files("cato_backend.engines").joinpath("pins.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    chosen = table[kind.value]
    return Pins(
        kind=kind,
        version=chosen["version"],
        pip=table["pip"],
        steps=tuple(_step(step) for step in chosen["steps"]),
        imports=tuple(chosen["import"]),
    )


def _step(table: dict[str, Any]) -> InstallStep:
    return InstallStep(
        name=table["name"],
        requirements=tuple(table["requirements"]),
        dependencies=table["dependencies"],
        extra_index=table.get("extra_index"),
    )


@dataclass(frozen=True, slots=True)
class Package:
    """One installed package, as pip reports it."""

    name: str
    version: str
    origin: str
    """The URL it was taken from."""
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Environment:
    """A complete engine environment."""

    path: Path
    kind: EngineKind
    version: str
    digest: str
    """Digest of the pins that it was built from."""
    megabytes: int
    built_in_s: float
    packages: tuple[Package, ...]

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return python_in(self.path)


def python_in(path: Path) -> Path:
    """Return the interpreter of the environment at `path`."""
    return path / "bin" / "python"


def engines_dir() -> Path:
    """Return the folder that holds all of them."""
    return cache_dir() / "engines"


def environment_path(pins: Pins) -> Path:
    """Return where the environment of these pins belongs, for the running version of Python."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return engines_dir() / f"{pins.kind}-{pins.version}-py{python}"


def find_environment(kind: EngineKind) -> Environment:
    """Return the whole, current environment of `kind`.

    Raises EngineError, saying how to get one.
    """
    pins = pins_of(kind)
    found = read_environment(environment_path(pins))
    if found is None or found.digest != pins.digest:
        raise EngineError(f"no {kind} engine is installed: run `cato engine install {kind}`")
    return found


def any_environment() -> Environment:
    """Return a whole, current environment of whatever kind.

    Raises EngineError where there is none.
    """
    for kind in EngineKind:
        pins = pins_of(kind)
        found = read_environment(environment_path(pins))
        if found is not None and found.digest == pins.digest:
            return found
    raise EngineError("no engine is installed: run `cato engine install auto`")


def list_environments() -> list[Environment]:
    """Return all whole environments, of whatever version."""
    folders = sorted(engines_dir().glob("[!.]*"))
    return [found for path in folders if (found := read_environment(path)) is not None]


def read_environment(path: Path) -> Environment | None:
    """Return the environment at `path`, or None where it is absent or was never finished."""
    try:
        value = json.loads((path / MARKER).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise EngineError(f"{path / MARKER}: {error}; remove {path} and install again") from error
    return Environment(
        path=path,
        kind=EngineKind(value["kind"]),
        version=value["version"],
        digest=value["digest"],
        megabytes=value["megabytes"],
        built_in_s=value["built_in_s"],
        packages=tuple(Package(**package) for package in value["packages"]),
    )


def write_marker(environment: Environment, folder: Path) -> None:
    """Declare the environment in `folder` whole."""
    value = {
        "kind": environment.kind.value,
        "version": environment.version,
        "digest": environment.digest,
        "megabytes": environment.megabytes,
        "built_in_s": environment.built_in_s,
        "packages": [asdict(package) for package in environment.packages],
    }
    write_whole(folder / MARKER, json.dumps(value, indent=1))


def packages_to_json(packages: Iterable[Package]) -> str:
    """For `packages_from_json`."""
    return json.dumps([asdict(package) for package in packages])


def packages_from_json(text: str) -> list[Package]:
    """Return the packages that `packages_to_json` wrote."""
    return [Package(**value) for value in json.loads(text)]


def write_whole(path: Path, text: str) -> None:
    """Write a file that is never seen half written."""
    draft = path.with_name(f"{path.name}.tmp")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def remove_environment(path: Path) -> None:
    """Remove it, the marker first, so that what is left of a broken removal is not believed."""
    (path / MARKER).unlink(missing_ok=True)
    shutil.rmtree(path, ignore_errors=False)

"""Building an environment with real pip, from packages made on the spot."""

from __future__ import annotations

import hashlib
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from cato_backend.engines import pip
from cato_backend.engines.environments import (
    MARKER,
    EngineKind,
    Environment,
    InstallStep,
    Pins,
    engines_dir,
    list_environments,
    remove_environment,
)
from cato_backend.engines.install import InstallProgress, install
from cato_backend.errors import EngineError


def make_wheel(folder: Path, name: str, code: str = "") -> Path:
    """The least that pip takes for a package."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}.py", code)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        tags = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        wheel.writestr(f"{info}/WHEEL", tags)
        wheel.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture
def pins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pins:
    """An engine of one tiny package, and a cache of its own."""
    monkeypatch.setenv("CATO_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    wheel = make_wheel(tmp_path, "tinyengine")
    step = InstallStep("the engine", (str(wheel),), dependencies=False, extra_index=None)
    # `pip` is there already: nothing is fetched.
    return Pins(EngineKind.CPU, "1.0", "pip", (step,), ("tinyengine",))


def with_step(pins: Pins, *requirements: str) -> Pins:
    return replace(
        pins,
        steps=(
            *pins.steps,
            InstallStep("more", requirements, dependencies=False, extra_index=None),
        ),
    )


def ignore(_: InstallProgress) -> None:
    """For those who do not watch."""


def test_two_at_once_build_once_and_others_build_anew(pins: Pins, tmp_path: Path) -> None:
    seen: list[InstallProgress] = []
    with ThreadPoolExecutor() as pool:
        first, second = pool.map(lambda _: install(pins, seen.append), range(2))
    assert first == second
    begun = [progress.what for progress in seen if progress.begins]
    begun.remove("another process builds the same environment: waiting for it")
    assert begun == ["an environment of its own", "the engine", "trying it: importing the engine"]

    assert first.python.exists()
    assert [(p.name, p.version, len(p.sha256 or "")) for p in first.packages] == [
        ("tinyengine", "1.0", 64)
    ]
    assert list_environments() == [first]
    check_that_a_second_installation_does_nothing(pins, first)

    other = install(with_step(pins, str(make_wheel(tmp_path, "extra"))), ignore)
    assert other.path == first.path
    assert list_environments() == [other]
    check_that_a_damaged_marker_names_itself(other)
    remove_environment(other.path)
    assert list_environments() == []


def check_that_a_second_installation_does_nothing(pins: Pins, first: Environment) -> None:
    seen: list[InstallProgress] = []
    assert install(pins, seen.append) == first
    assert seen == []


def check_that_a_damaged_marker_names_itself(environment: Environment) -> None:
    (environment.path / MARKER).write_text("{")
    with pytest.raises(EngineError, match=MARKER):
        list_environments()


def test_a_failed_build_shows_pip_and_goes_on_later(pins: Pins, tmp_path: Path) -> None:
    broken = with_step(pins, str(tmp_path / "later-1.0-py3-none-any.whl"))
    with pytest.raises(EngineError, match=r"pip failed with status 1(.|\n)*later-1\.0"):
        install(broken, ignore)
    assert list_environments() == []

    make_wheel(tmp_path, "later")
    draft = next(engines_dir().glob(".building-*"))
    (draft / "kept").touch()
    abandoned = engines_dir() / f"{draft.name[:-4]}0000"
    abandoned.mkdir()
    built = install(broken, ignore)
    assert not abandoned.exists()
    assert (built.path / "kept").exists()
    assert {package.name for package in built.packages} == {"tinyengine", "later"}


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_file_with_another_hash_is_not_installed(
    pins: Pins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_whole: bool
) -> None:
    wheel = make_wheel(tmp_path, "hashed")
    known = {"hashed==1.0": (f"sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}",)}
    monkeypatch.setattr(pip, "known_hashes", lambda: known)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    if is_whole:
        built = install(with_step(pins, "hashed==1.0"), ignore)
        assert {package.name for package in built.packages} == {"tinyengine", "hashed"}
        return
    make_wheel(tmp_path, "hashed", "print('slipped in')")
    with pytest.raises(EngineError, match="DO NOT MATCH THE HASHES"):
        install(with_step(pins, "hashed==1.0"), ignore)
    assert list_environments() == []


def test_an_engine_that_cannot_be_imported_is_none(pins: Pins, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "badengine", "raise OSError('libgone.so: cannot open')")
    broken = replace(with_step(pins, str(wheel)), imports=("badengine",))
    with pytest.raises(EngineError, match=r"cannot be imported(.|\n)*libgone\.so"):
        install(broken, ignore)
    assert [path.name for path in engines_dir().iterdir() if path.is_dir()] == []

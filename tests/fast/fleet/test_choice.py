"""Which model is served where the user leaves it to us."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from cato_backend.engines.gpus import Gpu
from cato_backend.errors import EngineError
from cato_backend.fleet import choice
from cato_backend.fleet.choice import choose
from cato_backend.model_store.registry import (
    KnownModel,
    StoredModel,
    known_models,
    models_dir,
    write_marker,
)
from cato_backend.prediction.learned_law import LearnedLaw
from cato_backend.profile_files.hardware import model_key
from cato_backend.runtime.law_file import LawKey, StoredLaw, read_laws, write_laws

DEFAULT = known_models()[0]


@pytest.fixture(autouse=True)
def no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a GPU, and an empty cache."""
    monkeypatch.setenv("CATO_CACHE_DIR", str(tmp_path))

    def none() -> tuple[Gpu, ...]:
        return ()

    monkeypatch.setattr(choice, "detect_gpus", none)


def store(model: KnownModel) -> StoredModel:
    stored = StoredModel(
        model.name, model.title, model.licence, model.provenance, model.sha256, "a hub",
        model.format, 1, model.digest,
    )  # fmt: skip
    stored.path.mkdir(parents=True)
    write_marker(stored, stored.path)
    return stored


def test_what_is_in_the_cache_is_taken() -> None:
    store(DEFAULT)
    chosen = choose(None)
    assert chosen.path == DEFAULT.name
    what, cost, otherwise = chosen.lines
    assert what == f"model: {DEFAULT.name} (no NVIDIA GPU was found)"
    assert "GB of memory" in cost
    assert "GB of disk" in cost
    assert "--model embedded" in otherwise


def test_what_is_not_there_is_fetched_where_that_is_allowed() -> None:
    assert choose(store).path == DEFAULT.name


def test_without_a_source_it_is_the_embedded_model_and_says_what_it_cannot_do() -> None:
    def fail(model: KnownModel) -> StoredModel:
        raise EngineError(f"{model.name} cannot be had")

    chosen = choose(fail)
    assert chosen.path == "embedded"
    what, cost, remedy = chosen.lines
    assert "no NVIDIA GPU was found" in what
    assert "cannot be had" in what
    assert "not usable" in cost
    assert f"cato model fetch {DEFAULT.name}" in remedy


def test_an_editor_s_backend_downloads_nothing() -> None:
    chosen = choose(None)
    assert chosen.path == "embedded"
    assert f"{DEFAULT.name} is not here" in chosen.reason
    assert not models_dir().exists()


def test_a_small_machine_is_not_asked_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    huge = replace(DEFAULT, memory_bytes=10**18)
    monkeypatch.setattr(choice, "known_models", lambda: (huge,))
    chosen = choose(store)
    assert chosen.path == "embedded"
    assert f"of memory are too little for {DEFAULT.name}" in chosen.reason


def keep_law(
    file: Path,
    slowness: float,
    place: str = f"cpu-local {DEFAULT.name} 1 cores ",
    *,
    waited: float | None = None,
    learned_at: float = 1.0,
) -> Path:
    """A file with the law of a data-centre GPU, so many times as slow."""
    kept = LearnedLaw(None).kept(0)
    first, second = (
        each._replace(log_terms=tuple(term + math.log(slowness) for term in each.log_terms))
        for each in kept.filters
    )
    law = kept._replace(filters=(first, second))
    stored = StoredLaw(law, learned_at, waited)
    write_laws(file, read_laws(file) | {LawKey(model_key(DEFAULT.name), place): stored})
    return file


@pytest.mark.parametrize(("slowness", "completions"), [(1, ""), (20, "embedded")])
def test_completions_that_were_measured_to_be_slow_go_to_the_embedded_model(
    tmp_path: Path, slowness: float, completions: str
) -> None:
    store(DEFAULT)
    chosen = choose(None, keep_law(tmp_path / "laws.json", slowness))
    assert (chosen.path, chosen.completions) == (DEFAULT.name, completions)
    assert ("come too late" in chosen.lines[0]) is bool(completions)


def test_what_the_machine_did_beside_does_not_count(tmp_path: Path) -> None:
    """An engine that had no core for nine tenths of the time is ten times as fast without that."""
    store(DEFAULT)
    chosen = choose(None, keep_law(tmp_path / "laws.json", 40, waited=0.9))
    assert chosen.completions == ""
    assert "without the 90% of the time in which it had no core" in chosen.lines[0]
    undisturbed = choose(None, keep_law(tmp_path / "laws.json", 40, waited=0.05))
    assert undisturbed.completions == "embedded"
    assert "no core" not in undisturbed.lines[0]


@pytest.mark.parametrize(("first", "then", "completions"), [(20, 1, ""), (1, 20, "embedded")])
def test_the_newest_measurement_counts(
    tmp_path: Path, first: float, then: float, completions: str
) -> None:
    store(DEFAULT)
    place = f"cpu-local {DEFAULT.name} 2 cores "
    keep_law(tmp_path / "laws.json", first, learned_at=1.0)
    chosen = choose(None, keep_law(tmp_path / "laws.json", then, place, learned_at=2e9))
    assert chosen.completions == completions
    assert "measured on 2033-05-1" in chosen.lines[0]
    assert "each start measures again" in chosen.lines[2]


@pytest.mark.parametrize("place", ["cpu-local embedded 1 cores ", "h100 qwen 0 cores "])
def test_what_was_measured_of_others_does_not_count(tmp_path: Path, place: str) -> None:
    store(DEFAULT)
    assert choose(None, keep_law(tmp_path / "laws.json", 20, place)).completions == ""
    assert choose(None, tmp_path / "absent.json").completions == ""

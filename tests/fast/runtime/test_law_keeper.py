"""What was learned of replicas survives the backend, in a file that only its owner reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cato_backend.prediction.kept_law import KeptLaw
from cato_backend.replicas.core_waits import ThreadTimes
from cato_backend.runtime import laws
from cato_backend.runtime.law_file import LawKey, StoredLaw, read_laws, write_laws
from cato_backend.runtime.laws import LawKeeper
from cato_backend.scheduling import ReplicaLoad

URL = "http://gpu-1:8000"
MODEL = "Qwen/Qwen2.5-Coder-7B-Instruct"


class Clocks:
    """Both clocks of a keeper, an hour of the wall's being one of the process's."""

    def __init__(self) -> None:
        self.now = 50.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return 1_800_000_000.0 + self.now


def keeper(path: Path | None, clocks: Clocks) -> LawKeeper:
    return LawKeeper(path, clocks.monotonic, clocks.wall)


def replica(clocks: Clocks, kept: KeptLaw | None = None, windows: int = 1) -> ReplicaLoad:
    """One that has shown some prompts."""
    load = ReplicaLoad("static-1", MODEL, 8, None, kept)
    for number in range(windows):
        name = str(number)
        load.learned.dispatched(name, 100, 0, clocks.now, idle=True)
        clocks.now += 0.5
        load.learned.tokens(name, 1, clocks.now, 1, 100)
        load.learned.left(name)
    assert load.learned.windows == windows
    return load


def test_it_is_handed_back_to_the_same_model_at_the_same_place(tmp_path: Path) -> None:
    clocks, path = Clocks(), tmp_path / "state" / "laws.json"
    first = keeper(path, clocks)
    load = replica(clocks)
    first.replica_up(load, URL)
    first.save()
    clocks.now += 3600
    kept = keeper(path, clocks).recall("qwen2.5-coder-7b", URL)
    assert kept is not None
    assert kept.age_s == pytest.approx(3600)
    assert kept._replace(age_s=0.0) == load.learned.kept(clocks.now)._replace(age_s=0.0)
    assert keeper(path, clocks).recall(MODEL, "http://gpu-2:8000") is None
    assert keeper(path, clocks).recall("another", URL) is None


def test_how_long_its_engine_had_no_core_is_kept_with_it(tmp_path: Path) -> None:
    clocks, path = Clocks(), tmp_path / "laws.json"
    first = keeper(path, clocks)
    times = iter([(0, 0), (10**9, 3 * 10**9)])

    def read(pid: int) -> dict[Path, ThreadTimes]:
        assert pid == 7
        return {Path("1"): ThreadTimes(*next(times, (10**9, 3 * 10**9)))}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(laws, "thread_times", read)
        first.engine_up("static-1", 7)
        first.replica_up(replica(clocks), URL)
        assert first.waited("static-1") == 0.75
        first.save()
    (stored,) = read_laws(path).values()
    assert stored.waited == 0.75
    first.engine_down("static-1")
    assert first.waited("static-1") is None


def test_a_file_without_it_is_read(tmp_path: Path) -> None:
    clocks, path = Clocks(), tmp_path / "laws.json"
    first = keeper(path, clocks)
    first.replica_up(replica(clocks), URL)
    first.save()
    document = json.loads(path.read_text())
    for law in document["laws"]:
        assert law.pop("waited") is None
    path.write_text(json.dumps(document))
    assert keeper(path, clocks).recall(MODEL, URL) is not None


def test_the_file_is_its_owners_alone_and_written_in_one_step(tmp_path: Path) -> None:
    clocks, path = Clocks(), tmp_path / "laws.json"
    first = keeper(path, clocks)
    first.replica_up(replica(clocks), URL)
    first.save()
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["laws.json"]


def test_nothing_is_written_where_nothing_was_learned(tmp_path: Path) -> None:
    clocks, path = Clocks(), tmp_path / "laws.json"
    first = keeper(path, clocks)
    first.replica_up(replica(clocks, windows=0), URL)
    first.save()
    assert not path.exists()


def test_a_replica_that_comes_back_begins_from_what_it_showed() -> None:
    """Without a file, too: a connection that breaks forgets nothing."""
    clocks = Clocks()
    kept_here = keeper(None, clocks)
    kept_here.replica_up(replica(clocks, windows=3), URL)
    kept_here.replica_down("static-1")
    kept = kept_here.recall(MODEL, URL)
    assert kept is not None
    assert kept.windows == 3


def test_of_two_replicas_of_one_kind_the_one_that_showed_more_is_kept() -> None:
    clocks = Clocks()
    kept_here = keeper(None, clocks)
    kept_here.replica_up(replica(clocks, windows=5), "a100")
    kept_here.save()
    few = ReplicaLoad("static-2", MODEL, 8)
    kept_here.replica_up(few, "a100")
    few.learned.dispatched("x", 100, 0, clocks.now, idle=True)
    few.learned.tokens("x", 1, clocks.now + 9.0, 1, 100)
    kept_here.save()
    kept = kept_here.recall(MODEL, "a100")
    assert kept is not None
    assert kept.windows == 5


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        json.dumps({"schema_version": 2, "laws": []}).encode(),
        json.dumps({"schema_version": 1, "laws": [{"model": "m"}]}).encode(),
    ],
)
def test_a_file_that_cannot_be_used_is_replaced(tmp_path: Path, content: bytes) -> None:
    clocks, path = Clocks(), tmp_path / "laws.json"
    path.write_bytes(content)
    first = keeper(path, clocks)
    assert first.recall(MODEL, URL) is None
    first.replica_up(replica(clocks), URL)
    first.save()
    assert keeper(path, clocks).recall(MODEL, URL) is not None


def test_a_law_that_cannot_be_is_left_out(tmp_path: Path) -> None:
    clocks, path = Clocks(), tmp_path / "laws.json"
    sound = replica(clocks).learned.kept(clocks.now)
    bad = sound._replace(filters=(sound.filters[0]._replace(noise=-1.0), sound.filters[1]))
    laws = {LawKey("a", URL): StoredLaw(sound, 1.0), LawKey("b", URL): StoredLaw(bad, 2.0)}
    write_laws(path, laws)
    assert list(read_laws(path)) == [LawKey("a", URL)]


def test_the_file_does_not_grow_without_bound(tmp_path: Path) -> None:
    clocks, path = Clocks(), tmp_path / "laws.json"
    kept_here = keeper(path, clocks)
    for number in range(300):
        load = replica(clocks)
        load.replica_id = f"static-{number}"
        kept_here.replica_up(load, f"http://host-{number}:8000")
    kept_here.save()
    found = read_laws(path)
    assert len(found) == 256
    assert LawKey("qwen2.5-coder-7b", "http://host-299:8000") in found
    assert LawKey("qwen2.5-coder-7b", "http://host-0:8000") not in found


def test_a_disk_that_is_full_costs_only_the_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clocks = Clocks()
    (tmp_path / "laws.json").mkdir()
    kept_here = keeper(tmp_path / "laws.json", clocks)
    kept_here.replica_up(replica(clocks), URL)
    kept_here.save()
    assert "was not saved" in caplog.text
    assert kept_here.recall(MODEL, URL) is not None

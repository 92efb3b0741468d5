"""The discovery file: found whole, believed only when it is the user's own and nobody else's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cato_backend.wire.discovery import (
    Announcement,
    UntrustedAnnouncement,
    announce,
    discover,
    start_time,
    withdraw,
)

HERE = Announcement(
    "http://127.0.0.1:1", "token", os.getpid(), "0.1.0", "secret", start_time(os.getpid())
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "backend.json"


def test_what_is_announced_is_discovered(path: Path) -> None:
    announce(HERE, path)
    assert discover(path) == HERE
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["backend.json"]


def test_the_language_server_beside_a_backend_is_told(path: Path) -> None:
    beside = replace(HERE, language_server="/opt/cato/bin/cato-lsp")
    announce(beside, path)
    assert discover(path) == beside
    older = json.loads(path.read_text())
    del older["language_server"]
    path.write_text(json.dumps(older))
    assert discover(path) == HERE


def test_no_file_is_no_backend(path: Path) -> None:
    assert discover(path) is None


def test_only_its_own_process_withdraws_it(path: Path) -> None:
    announce(HERE, path)
    withdraw(HERE.pid + 1, path)
    assert discover(path) == HERE
    withdraw(HERE.pid, path)
    assert discover(path) is None


def test_a_backend_whose_process_has_ended_is_none(path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    started = start_time(ended.pid)
    ended.wait()
    announce(replace(HERE, pid=ended.pid, started=started), path)
    assert discover(path) is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells when a process started")
def test_another_process_with_the_same_id_is_none(path: Path) -> None:
    assert HERE.started is not None
    for started in (HERE.started - 1, None):
        announce(replace(HERE, started=started), path)
        assert discover(path) is None


def test_neither_token_nor_secret_is_printed() -> None:
    assert "token'" not in repr(HERE)
    assert "secret'" not in repr(HERE)


def test_the_file_of_another_version_is_named(path: Path) -> None:
    announce(HERE, path)
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 1}))
    with pytest.raises(UntrustedAnnouncement, match=r"schema 1, expected 2.*restart it"):
        discover(path)


def test_a_file_that_others_can_read_is_not_believed(path: Path) -> None:
    announce(HERE, path)
    path.chmod(0o644)
    with pytest.raises(UntrustedAnnouncement, match="mode 644, expected 600"):
        discover(path)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"schema": 1}', '{"schema": 99, "url": "x"}', "\udcff"],
)
def test_a_damaged_file_is_named(path: Path, text: str) -> None:
    announce(HERE, path)
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(UntrustedAnnouncement, match=r"backend\.json"):
        discover(path)


def test_a_value_of_the_wrong_type_is_named(path: Path) -> None:
    announce(HERE, path)
    path.write_text(json.dumps({**json.loads(path.read_text()), "pid": "nine"}))
    with pytest.raises(UntrustedAnnouncement, match="nine"):
        discover(path)

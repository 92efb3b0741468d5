"""How a node's log is read, piece by piece."""

from __future__ import annotations

from pathlib import Path

from cato_backend.ray_cluster.host import read_on


def test_a_log_is_read_on_from_where_it_ended(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert read_on(log, 0) == (0, b"")
    log.write_bytes(b"first\n")
    offset, data = read_on(log, 0)
    assert (offset, data) == (6, b"first\n")
    log.write_bytes(b"first\nsecond\n")
    assert read_on(log, offset) == (13, b"second\n")
    assert read_on(log, 13) == (13, b"")


def test_a_log_that_was_begun_again_is_read_from_its_beginning(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"new\n")
    assert read_on(log, 8_000_000) == (4, b"new\n")

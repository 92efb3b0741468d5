"""A file of replicas: what its lines mean, and that a change is seen."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cato_backend.config import DiscoveryConfig
from cato_backend.discovery.file import FileSource, read_listing
from cato_backend.errors import SourceUnavailable

CONFIG = DiscoveryConfig(model="coder", token="s3cret", max_running=7)

MIXED = """\
# our own machines
http://10.0.0.1:8000

- http://10.0.0.2:8000/v1
- "http://10.0.0.3:8000"
{"url": "http://10.0.0.4:8000", "model": "other", "token": "its-own"}
http://10.0.0.1:8000
"""


def test_lines_are_urls_or_objects_and_each_server_is_one() -> None:
    listing = read_listing(MIXED, CONFIG)
    assert listing.complaint == ""
    assert [each.url for each in listing.replicas] == [
        f"http://10.0.0.{n}:8000" for n in range(1, 5)
    ]
    first, *_, last = listing.replicas
    assert (first.model, first.token, first.max_running) == ("coder", "s3cret", 7)
    assert (last.model, last.token, last.max_running) == ("other", "its-own", 7)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("no url", "line 2: url: expected"),
        ("ftp://10.0.0.1", "line 2: url: expected"),
        ('{"url": "http://10.0.0.1:8000", "modle": "x"}', "line 2: modle: expected"),
        ('{"model": "x"}', "line 2: url: expected"),
        ('{"url": ', "line 2: expected a URL or a JSON object"),
        ("http://user:s3cret@10.0.0.1:8000", "line 2: url: expected"),
        ('{"url": "http://10.0.0.1:8000", "self": 1}', "line 2: self: expected"),
        ('{"url":' * 100_000, "line 2: expected a URL or a JSON object"),
    ],
)
def test_a_bad_line_is_named_and_the_rest_goes_on(line: str, said: str) -> None:
    listing = read_listing(f"http://10.0.0.8:8000\n{line}\nhttp://10.0.0.9:8000\n", CONFIG)
    assert [each.url for each in listing.replicas] == [
        "http://10.0.0.8:8000",
        "http://10.0.0.9:8000",
    ]
    assert listing.complaint.startswith(said)
    assert "s3cret" not in listing.complaint


def test_the_first_of_several_bad_lines_is_named() -> None:
    assert read_listing("bad\nworse\n", CONFIG).complaint.startswith("line 1:")


async def test_a_change_is_seen_and_an_absent_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "replicas"
    path.write_text("http://10.0.0.1:8000\n")
    source = FileSource(path, CONFIG)
    async with asyncio.timeout(10):
        follow = source.follow()
        assert len((await anext(follow)).replicas) == 1
        path.write_text("http://10.0.0.1:8000\nhttp://10.0.0.2:8000\n")
        assert len((await anext(follow)).replicas) == 2
        path.unlink()
        with pytest.raises(SourceUnavailable, match="No such file"):
            await anext(follow)


async def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "replicas"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SourceUnavailable, match="not UTF-8"):
        await anext(FileSource(path, CONFIG).follow())

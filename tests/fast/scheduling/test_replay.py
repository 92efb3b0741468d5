"""A log of events, written and read."""

from __future__ import annotations

import resource
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from cato_backend.commands.arguments import Parser
from cato_backend.errors import ConfigError
from cato_backend.prediction.kept_law import KeptFilter, KeptLaw
from cato_backend.profile_files.profile import Profile, StepLaw
from cato_backend.requests import Origin
from cato_backend.runtime.event_log import EventLog
from cato_backend.scheduling import (
    Event,
    Finished,
    Limits,
    Progressed,
    ReplicaUp,
    Scheduler,
    Submitted,
    make_policy,
)
from cato_backend.scheduling.journal import Opening, Pseudonyms, decode, encode, encode_opening
from cato_backend.scheduling.replaying import replay
from cato_lab.commands.replay import configure, run
from tests.fast.scheduling.stories import MODEL, request

LIMITS = Limits(max_waiting=3)
PROFILE = Profile(MODEL, "here", StepLaw("additive", base=0.02, per_new_token=0.0001))
SECRET = Origin("tenant-of-alice", "her-editor", "secret.py")


def story(requests: int = 20) -> list[tuple[Event, float]]:
    """Two replicas and more requests than they take at once."""
    events: list[tuple[Event, float]] = [
        (ReplicaUp("a", MODEL, 2, PROFILE), 0.0),
        (ReplicaUp("b", MODEL, 2), 0.1),
    ]
    for number in range(requests):
        now = 1 + number / 3
        new = request(f"r{number}", arrival=now, ttft_s=1.5)
        blocks = (7, 7_000_000_000_000_000_000 + number % 4)
        events.append((Submitted(replace(new, origin=SECRET, prompt_blocks=blocks)), now))
        if number > 3:
            events.append((Progressed(f"r{number - 3}", 1, 2, 100, 10), now + 0.1))
            events.append((Finished(f"r{number - 3}", 1), now + 0.2))
    return events


def write(path: Path, policy: str = "cato", limit: int = 1_000_000) -> None:
    """As `cato serve --event-log` does."""
    scheduler = Scheduler(make_policy(policy), LIMITS)
    with EventLog(path, limit, policy, LIMITS) as log:
        for event, now in story():
            log.note(event, scheduler.handle(event, now), now)


def head(run: str, policy: str = "cato", part: int = 1) -> bytes:
    """The first line of a part."""
    return encode_opening(Opening(run=run, policy=policy, limits=LIMITS, part=part))


def cato_replay(path: Path) -> int:
    """The command's exit status."""
    parser = Parser(prog="cato replay")
    configure(parser)
    return run(parser.parse([str(path)]))


@pytest.mark.parametrize("policy", ["cato", "random", "power-of-two"])
def test_the_same_events_are_decided_alike(tmp_path: Path, policy: str) -> None:
    write(tmp_path / "log", policy)
    replayed = replay([(tmp_path / "log").read_bytes().splitlines(keepends=True)])
    assert replayed.difference is None
    assert replayed.events == len(story())
    assert replayed.decisions >= 20


def test_a_change_of_mind_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "log")
    lines = (tmp_path / "log").read_bytes().splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if b'"Dispatch"' in line)
    value = orjson.loads(lines[at])
    value["decided"][0][1]["attempt"] = 9
    lines[at] = orjson.dumps(value) + b"\n"
    difference = replay([lines]).difference
    assert difference is not None
    assert difference.number == at
    (tmp_path / "log").write_bytes(b"".join(lines))
    assert cato_replay(tmp_path / "log") == 1
    assert "other decisions on event 3 (Submitted at 1.000000 s)" in capsys.readouterr().out


def test_a_rotated_log_is_read_from_both_files(tmp_path: Path) -> None:
    write(tmp_path / "log")
    size = (tmp_path / "log").stat().st_size
    write(tmp_path / "log", limit=size * 2 // 3)
    assert b'"part":2' in (tmp_path / "log").read_bytes()
    assert cato_replay(tmp_path / "log") == 0


def test_a_log_that_begins_later_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "log")
    write(tmp_path / "log", limit=(tmp_path / "log").stat().st_size // 3)
    with pytest.raises(ConfigError, match=r"part: got [34], expected part 1: the log begins later"):
        cato_replay(tmp_path / "log")


def test_a_log_of_another_run_is_no_beginning(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="part: got 2"):
        replay([[head("x")], [head("y", part=2)]])


def test_an_unfinished_last_line_is_left_out(tmp_path: Path) -> None:
    write(tmp_path / "log")
    data = (tmp_path / "log").read_bytes()
    assert replay([data[:-9].splitlines(keepends=True)]).events == len(story()) - 1


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"{", "line 2"),
        (b"{}", "line 2: 'decided' is missing or unknown"),
        (b'{"t":1,"event":"Wished","told":{},"decided":[]}', "line 2: 'Wished' is missing or unkn"),
        (b'{"t":1,"event":"Finished","told":{},"decided":[]}', "line 2: request_id: Field require"),
        (b'{"t":"x","event":"Woke","told":{},"decided":[]}', "line 2: could not convert"),
        (b'{"t":1,"event":"Woke","told":{},"decided":[["Dispatch"]]}', "line 2: not enough values"),
        (b"7", "line 2"),
    ],
)
def test_a_damaged_line_is_named(line: bytes, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        replay([[head("run"), line + b"\n"]])


@pytest.mark.parametrize("line", [b"", b"{}", b"\x00", b'{"log":"access"}\n'])
def test_what_is_no_log_is_refused(line: bytes) -> None:
    with pytest.raises(ConfigError, match=r"line 1.*expected the head of an event log"):
        replay([[line]])


def test_a_policy_that_there_is_not_any_more_is_named() -> None:
    with pytest.raises(ConfigError, match="policy: got 'dowsing', expected one of cato"):
        replay([[head("run", "dowsing")]])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="log: No such file"):
        cato_replay(tmp_path / "log")
    with pytest.raises(ConfigError, match=r"server\.event_log: .*: Is a directory"):
        EventLog(tmp_path, 1, "cato", LIMITS)


def test_a_log_with_pseudonyms_identifies_no_tenant(tmp_path: Path) -> None:
    write(tmp_path / "log")
    data = (tmp_path / "log").read_bytes()
    for trace in (*vars_of(SECRET), "7000000000000000001"):
        assert trace.encode() not in data
    (tmp_path / "log").unlink()
    write(tmp_path / "log")
    other = (tmp_path / "log").read_bytes()
    assert blocks_of(data) != blocks_of(other), "hashes of two runs can be compared"


def vars_of(origin: Origin) -> tuple[str, ...]:
    return (origin.tenant, origin.session, origin.document)


def blocks_of(data: bytes) -> list[int]:
    line = next(line for line in data.splitlines() if b'"Submitted"' in line)
    blocks: list[int] = orjson.loads(line)["told"]["request"]["prompt_blocks"]
    return blocks


def test_equal_blocks_stay_equal_under_their_pseudonyms() -> None:
    pseudonyms = Pseudonyms(b"k" * 32)
    one, two = (
        pseudonyms.of(Submitted(replace(request("r"), prompt_blocks=blocks)))
        for blocks in ((1, 2, 3), (1, 2, 4))
    )
    assert isinstance(one, Submitted)
    assert isinstance(two, Submitted)
    assert one.request.prompt_blocks[:2] == two.request.prompt_blocks[:2]
    assert one.request.prompt_blocks[2] != two.request.prompt_blocks[2]


def test_a_full_disk_ends_the_log_and_not_the_service(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        with EventLog(tmp_path / "log", 10**9, "cato", LIMITS) as log:
            log.note(Finished("r", 1), (), 0.0)
            log.note(Finished("r", 1), (), 1.0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caplog.text.count("has ended: [Errno 27]") == 1


def test_a_line_costs_no_more_than_its_event() -> None:
    line = encode(Progressed("r1", 1, 1), (), 12.5)
    assert line == (
        b'{"t":12.5,"event":"Progressed","told":{"request_id":"r1","attempt":1,"tokens":1,'
        b'"prompt_tokens":null,"cached_tokens":null},"decided":[]}\n'
    )


def test_a_law_that_was_kept_comes_back_as_it_was() -> None:
    covariance = tuple((0.01 * row, 0.0, 0.0, 0.0) for row in range(4))
    law = KeptFilter("additive", (-4.0, -9.0, -9.0, -16.0), covariance, 0.001)
    up = ReplicaUp("a", MODEL, 2, PROFILE, KeptLaw((law, law), 0, 40, 3.5))
    assert decode(encode(up, (), 0.0), 2).event == up

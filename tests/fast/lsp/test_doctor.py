"""What `cato doctor` makes of the stored counts, and of what engines were started with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cato_backend.wire.discovery import Announcement, announce, new_secret, start_time
from cato_lsp.backend.discovery import locate
from cato_lsp.backend.replicas import read_gateways, read_inventory, read_replicas
from cato_lsp.commands.backend_checks import check_replicas
from cato_lsp.commands.checks import Verdict, broken, check_gateways, check_gpus, note, ok
from cato_lsp.commands.doctor import FindingPrinter, check_history
from cato_lsp.session.status import Usage
from cato_lsp.settings.settings import BackendSettings
from cato_lsp.suggestions import outcomes


def test_the_prefix_hit_rate_is_told_of_all_sessions_and_the_last(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CATO_STATE_DIR", str(tmp_path))
    assert "not known yet" in str(check_history())
    for session, cached in (("a", 0), ("b", 100), ("b", 150)):
        usage = Usage(asked=4, from_cache=12, told=1, prompt_tokens=200, cached_tokens=cached)
        outcomes.append({"event": "usage", "session": session, **usage.body()})
    told = str(check_history())
    assert "38% of prompt tokens" in told
    assert "75% in the last session" in told
    assert "75% of answers needed no request" in told


ADVISED = {"max_num_batched_tokens": 2048, "long_prefill_token_threshold": 704}


@pytest.mark.parametrize(
    ("told", "advised", "said"),
    [
        (None, ADVISED, "--long-prefill-token-threshold 704 --max-num-batched-tokens 2048"),
        (None, None, "--long-prefill-token-threshold 512"),
        ({**ADVISED, "long_prefill_token_threshold": 0}, ADVISED, "holds up all others"),
        ({**ADVISED, "long_prefill_token_threshold": 2048}, ADVISED, "longer than a completion"),
        ({**ADVISED, "long_prefill_token_threshold": 64}, ADVISED, "computed slowly"),
        (ADVISED, ADVISED, "ok     replica r: a long prompt takes at most 704 of 2,048"),
        (ADVISED, {**ADVISED, "long_prefill_token_threshold": 0}, "its context is too short"),
    ],
)
def test_the_doctor_says_how_an_engine_should_be_started(
    told: object, advised: object, said: str
) -> None:
    entry = {"id": "r", "state": "up", "step_limits": {"told": told, "advised": advised}}
    found = "\n".join(map(str, check_replicas(read_replicas({"replicas": [entry]}))))
    assert said in found


@pytest.mark.parametrize("limits", [None, {}, [1], {"told": {"max_num_batched_tokens": "many"}}])
def test_of_a_backend_that_says_nothing_of_steps_nothing_is_said(limits: object) -> None:
    entry = {"id": "r", "state": "up", "step_limits": limits}
    (report,) = read_replicas({"replicas": [entry]})
    assert report.steps is None or report.steps.told is None


def test_a_remedy_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    printed = FindingPrinter()
    printed.show(note("replica a", "slow", "start its engine with X"))
    printed.show(note("replica b", "slow", "start its engine with X"))
    printed.show(ok("model", "good"))
    printed.show(ok("token", "accepted"))
    told = capsys.readouterr().out
    assert told.count("start its engine with X") == 1
    assert told.count("-> as above") == 1
    assert printed.status == 0
    printed.show(broken("backend", "away", "start one"))
    assert printed.status == 1


OWN = Announcement(
    *("http://127.0.0.1:8700", "of-the-editors", os.getpid(), "0.2.0", new_secret()),
    started=start_time(os.getpid()),
)


@pytest.mark.parametrize(
    ("url", "given", "used"),
    [
        ("http://127.0.0.1:8700", "", "of-the-editors"),
        ("http://127.0.0.1:8700/", "", "of-the-editors"),
        ("http://localhost:8700", "", "of-the-editors"),
        ("http://localhost:8701", "", None),
        ("https://localhost:8700", "", None),
        ("http://127.0.0.1:8700", "mine", "mine"),
        ("http://127.0.0.1:8701", "", None),
        ("http://gpu.example.com:8700", "", None),
    ],
)
def test_the_address_of_the_own_backend_comes_with_the_token_that_editors_use(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str, given: str, used: str | None
) -> None:
    monkeypatch.setenv("CATO_STATE_DIR", str(tmp_path))
    announce(OWN)
    target = locate(BackendSettings(url=url, token=given))
    assert target is not None
    assert target.token == used
    # It is sent only to the process that proves to be the announced one.
    assert target.announcement == (OWN if used == OWN.token else None)
    assert target.announcement is None or target.url == OWN.url


def test_an_announcement_that_is_not_to_be_believed_gives_no_token(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CATO_STATE_DIR", str(tmp_path))
    announce(OWN)
    (tmp_path / "backend.json").chmod(0o644)
    target = locate(BackendSettings(url="http://127.0.0.1:8700"))
    assert target is not None
    assert target.token is None


def test_a_replica_that_sleeps_is_well() -> None:
    entries = [
        {"id": "replica-1", "state": "asleep", "reason": "it is woken for a request"},
        {"id": "replica-2", "state": "down", "reason": "it ended"},
    ]
    found = list(check_replicas(read_replicas({"replicas": entries})))
    assert [finding.verdict for finding in found] == [Verdict.OK, Verdict.NOTE]


def test_gpus_are_listed_with_their_users() -> None:
    gpu = {"gpu": "0", "name": "L4", "memory_gb": 24.0, "free_gb": 9.5, "others": 2}
    found = check_gpus(read_inventory({"inventory": {"gpus": [gpu], "ray": {}}}))
    assert list(map(str, found)) == [
        "ok     gpu 0: L4, 9.5 of 24.0 GB free, 2 processes of others on it"
    ]
    assert read_inventory({"inventory": {"gpus": [{}]}}) == ()
    assert read_inventory(b"no JSON") == ()


def test_gateways_are_told_where_there_are_several() -> None:
    some = read_gateways({"gateways": {"up": 1, "expected": 2}})
    assert [finding.verdict for finding in check_gateways(some)] == [Verdict.NOTE]
    every = read_gateways({"gateways": {"up": 2, "expected": 2}})
    assert list(check_gateways(every)) == [ok("gateways", "2 processes take connections")]
    for silent in ({"gateways": {"up": 1, "expected": 1}}, {"gateways": None}, {}, b"no JSON"):
        assert list(check_gateways(read_gateways(silent))) == []

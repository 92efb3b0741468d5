"""What a client's headers say: ours are checked, others' are read where they can be."""

from __future__ import annotations

from typing import Any

import pytest

from cato_backend.config import TargetsConfig
from cato_backend.errors import InvalidRequest
from cato_backend.gateway.headers import parse_headers
from cato_backend.requests import Target
from cato_backend.wire.headers import Task

TARGETS = TargetsConfig()


def target(task: Task, **headers: Any) -> Target:
    named = {name.replace("_", "-"): str(value) for name, value in headers.items()}
    return parse_headers(named, "").of_task(task, TARGETS).target


@pytest.mark.parametrize(
    "name", ["x_slo_ttft_ms", "x_llm_d_slo_ttft_ms", "x_dynamo_slo_ttft_ms",
             "x_dynamo_meta_slo_ttft_ms"],
)  # fmt: skip
def test_a_ttft_by_any_name(name: str) -> None:
    assert target(Task.GENERATION, **{name: 700}) == Target(ttft_s=0.7, tpot_s=0.04)
    assert target(Task.COMPLETION, **{name: 500}) == Target(ttft_s=0.5, worthless_after_s=1.0)


@pytest.mark.parametrize(("ttft_ms", "tpot_ms"), [(300, 40), (1000, 40), (2000, 80), (9000, 100)])
def test_who_has_more_time_for_the_first_token_has_more_for_the_others(
    ttft_ms: int, tpot_ms: int
) -> None:
    asked = target(Task.GENERATION, x_slo_ttft_ms=ttft_ms)
    assert asked.tpot_s == pytest.approx(tpot_ms / 1e3)


@pytest.mark.parametrize("name", ["x_slo_tpot_ms", "x_llm_d_slo_tpot_ms"])
def test_a_tpot_by_any_name(name: str) -> None:
    assert target(Task.GENERATION, **{name: 20}) == Target(ttft_s=1.0, tpot_s=0.02)
    assert target(Task.COMPLETION, x_slo_ttft_ms=250, **{name: 20}) == Target(
        ttft_s=0.25, worthless_after_s=0.5, tpot_s=0.02
    )
    assert target(Task.SUMMARIZATION, **{name: 20}) == Target(e2e_s=3.0)
    assert target(Task.TRANSLATION, x_slo_ttft_ms=900, **{name: 20}) == Target(
        ttft_s=0.9, tpot_s=0.02
    )


def test_our_names_count_before_others_and_llm_d_s_before_dynamo_s() -> None:
    both = {"x_llm_d_slo_ttft_ms": 300, "x_dynamo_slo_ttft_ms": 400}
    assert target(Task.GENERATION, x_slo_ttft_ms=200, **both).ttft_s == 0.2
    assert target(Task.GENERATION, **both).ttft_s == 0.3
    assert target(Task.GENERATION, **{**both, "x_llm_d_slo_ttft_ms": "soon"}).ttft_s == 0.4


@pytest.mark.parametrize("value", ["", "soon", "0", "-1", "nan", "inf", "1e9", "9" * 400])
@pytest.mark.parametrize(
    "name", ["x_llm_d_slo_ttft_ms", "x_dynamo_slo_ttft_ms", "x_llm_d_slo_tpot_ms"]
)
def test_others_targets_that_cannot_be_used_are_ignored(name: str, value: str) -> None:
    assert target(Task.GENERATION, **{name: value}) == TARGETS.of(Task.GENERATION)


@pytest.mark.parametrize(
    ("headers", "session"),
    [
        ({}, ""),
        ({"x-cato-session": "own", "x-claude-code-session-id": "c"}, "own"),
        ({"x-claude-code-session-id": "c", "session-id": "n", "x-session-affinity": "o"}, "c"),
        ({"session-id": "new", "session_id": "old"}, "new"),
        ({"session_id": "old", "x-session-affinity": "o"}, "old"),
        ({"x-session-affinity": "o"}, "o"),
        ({"x-claude-code-session-id": "two words", "x-session-affinity": "o"}, "o"),
        ({"x-claude-code-session-id": ""}, ""),
        ({"session-id": "s" * 201}, ""),
        ({"session-id": "\u00fc"}, ""),
    ],
)
def test_the_session(headers: dict[str, str], session: str) -> None:
    given = parse_headers(headers, "alice")
    assert given.origin.session == session
    assert given.origin.tenant == "alice"
    assert given.names_origin == ("x-cato-session" in headers)
    assert given.from_agent == (session not in ("", "own") or len(headers) > 1)


@pytest.mark.parametrize("value", ["1", "433", "131072"])
def test_the_client_s_estimate_of_its_output(value: str) -> None:
    given = parse_headers({"x-cato-output-tokens": value}, "")
    assert given.of_task(Task.COMPLETION, TARGETS).expected_tokens == int(value)
    assert parse_headers({}, "").expected_tokens is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("x-cato-output-tokens", value) for value in (
            "", "0", "-1", "131073", "1.5", "1e3", "many", " 5", "+5", "1_0", "\u0663", "9" * 5000
        )),
        ("x-slo-tpot-ms", "fast"),
        ("x-slo-tpot-ms", "0"),
        ("x-slo-tpot-ms", "nan"),
        ("x-cato-task", "gossip"),
        ("x-cato-task", "Completion"),
        ("x-cato-session", ""),
        ("x-cato-supersede", "true"),
    ],
)  # fmt: skip
def test_our_own_headers_are_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(InvalidRequest, match=name) as refused:
        parse_headers({name: value}, "")
    assert refused.value.param == name
    assert len(refused.value.message) < 200


@pytest.mark.parametrize(("value", "says"), [(None, None), ("0", False), ("1", True)])
def test_whether_a_client_says_that_it_supersedes(value: str | None, says: bool | None) -> None:
    headers = {} if value is None else {"x-cato-supersede": value}
    given = parse_headers(headers, "")
    assert given.supersede is says
    assert given.of_task(Task.COMPLETION, TARGETS).supersede is bool(says)


@pytest.mark.parametrize(
    ("headers", "named", "declared"),
    [({}, True, True), ({}, False, False), ({"x-slo-ttft-ms": "500"}, False, True),
     ({"x-llm-d-slo-ttft-ms": "500"}, False, True), ({"x-slo-tpot-ms": "20"}, False, False)],
)  # fmt: skip
def test_whether_a_client_declares_what_it_expects(
    headers: dict[str, str], named: bool, declared: bool
) -> None:
    given = parse_headers(headers, "")
    assert given.of_task(Task.GENERATION, TARGETS, named=named).declared is declared


def test_whether_a_client_names_its_pace() -> None:
    for headers in ({}, {"x-slo-ttft-ms": "500"}):
        assert not parse_headers(headers, "").of_task(Task.GENERATION, TARGETS).names_pace
    given = parse_headers({"x-slo-tpot-ms": "20"}, "")
    assert given.of_task(Task.GENERATION, TARGETS).names_pace

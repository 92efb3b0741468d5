"""Failures that come with status 200: what tells of one, and what does not."""

from __future__ import annotations

from typing import Any

import pytest

from cato_backend.runtime.replica_errors import error_in, error_of_event, is_error, is_failure


@pytest.mark.parametrize(
    "word",
    ["error", "ERROR", "abort", "aborted", "cancelled", "canceled", "timeout", "timed_out",
     "failed", "internal_failure", "insufficient_system_resource", "preempted", "evicted",
     "interrupted", "shutdown", "server_shut_down", "unavailable", "overloaded", "exception"],
)  # fmt: skip
def test_reasons_of_failures(word: str) -> None:
    assert is_failure(word)


@pytest.mark.parametrize(
    "word",
    ["stop", "length", "tool_calls", "function_call", "content_filter", "eos_token", "eos",
     "stop_sequence", "max_tokens", "end_turn", "tool_use", "model_length", "COMPLETE",
     "repetition", "stop_token", "safety", "message"],
)  # fmt: skip
def test_reasons_of_ends(word: str) -> None:
    assert not is_failure(word)


@pytest.mark.parametrize(
    "value",
    [{}, {"type": "ping"}, {"object": "chat.completion.chunk", "id": "1"}, {"error": None},
     {"error": False}, {"message": ""}, {"status": "processing"}, {"code": 200}, {"code": 0}],
)  # fmt: skip
def test_objects_that_are_no_errors(value: dict[str, Any]) -> None:
    assert not is_error(value)


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ({"error": {"code": 400}}, 400),
        ({"error": {"code": "429"}}, 429),
        ({"object": "error", "code": 503}, 503),
        ({"status_code": 422, "detail": []}, 422),
        ({"error": {"code": "server_error"}}, None),
        ({"error": {"code": 50002}}, None),
        ({"error": "text"}, None),
        ({"error": {"code": True}}, None),
    ],
)
def test_the_status_that_an_error_names(value: dict[str, Any], status: int | None) -> None:
    assert error_in(value).status == status


@pytest.mark.parametrize(
    ("data", "body"),
    [
        ('{"message": "broken"}', b'{"message":"broken"}'),
        ("broken", b'{"error":"broken"}'),
        ("", b'{"error":""}'),
        ("[7]", b'{"error":[7]}'),
    ],
)
def test_an_error_event_holds_anything(data: str, body: bytes) -> None:
    assert error_of_event(data).body == body


def test_what_a_replica_says_of_an_error_is_not_logged() -> None:
    assert "secret" not in str(error_in({"error": {"message": "secret", "code": 500}}))

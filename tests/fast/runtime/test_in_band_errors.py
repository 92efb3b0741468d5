"""Failures that come with status 200: what tells of one, and what does not."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from cato_backend.runtime.calls import ApiKind
from cato_backend.runtime.replica_errors import (
    Busy,
    error_in,
    error_of_event,
    is_error,
    is_failure,
    refusal,
)


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


@pytest.mark.parametrize(
    ("retry_after", "least_s", "most_s"),
    [
        ("7", 7, 7),
        ("1.5", 1.5, 1.5),
        ("-5", 0, 0),
        ("9" * 20, 3600, 3600),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0),
        ("Wednesday, 21-Oct-15 07:28:00 GMT", 0, 0),
        ("Wed Oct 21 07:28:00 2015", 0, 0),
        ("Wed Oct 21 07:28:00 2099", 3600, 3600),
        ("Wed, 21 Oct 2099 07:28:00", 3600, 3600),
        ("Wed, 21 Oct 2099 07:28:00 -0000", 3600, 3600),
    ],
)
def test_when_a_busy_replica_wants_to_be_asked_again(
    retry_after: str, least_s: float, most_s: float
) -> None:
    """In seconds, or a date in any of HTTP's three forms."""
    busy = refusal(429, b"", ApiKind.COMPLETION, retry_after)
    assert isinstance(busy, Busy)
    assert busy.retry_after_s is not None
    assert least_s <= busy.retry_after_s <= most_s


@pytest.mark.parametrize(
    "retry_after",
    ["", "soon", "nan", "inf", "1e999", "5, 6", "2099-01-01T00:00:00Z", "\xe9",
     "Wed, 21 Oct 99999 07:28:00 GMT", "Wed, 21 Oct 99999999999999999999 07:28:00 GMT",
     "Wed, 21 Oct 2099 07:28:00 +99999999999999"],
)  # fmt: skip
def test_what_is_no_time_to_be_asked_again(retry_after: str) -> None:
    busy = refusal(503, b'{"error": {}}', ApiKind.CHAT, retry_after)
    assert isinstance(busy, Busy)
    assert busy.retry_after_s is None


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"error": {"message": "top_k: too large"}}, "top_k: too large"),
        ({"detail": "no such template"}, "no such template"),
        (
            {"detail": [{"loc": ["body", "n"], "msg": "Field required"}, {"msg": "odd"}]},
            "n: Field required; odd",
        ),
        ({"detail": ["odd"]}, "['odd']"),
        ({"error": {"message": ""}}, "the replica refused the request without a word"),
        ([], "the replica refused the request without a word"),
    ],
)
def test_the_words_in_which_a_replica_refuses_a_request(told: object, message: str) -> None:
    assert str(refusal(400, orjson.dumps(told), ApiKind.CHAT)) == message


def test_a_refusal_without_a_body_is_told_in_words() -> None:
    assert str(refusal(400, b"", ApiKind.CHAT))

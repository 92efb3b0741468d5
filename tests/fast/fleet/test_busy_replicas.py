"""What a replica's status says about its room."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from cato_backend.runtime.calls import ApiKind
from cato_backend.runtime.chunks import AttemptBroken
from cato_backend.runtime.replica_errors import Busy, refusal

VLLM = (
    b'{"error": {"message": "The queue is full", "type": "ServiceUnavailableError", "code": 503}}'
)
OLLAMA = b'{"error": "server busy, please try again. maximum pending requests exceeded"}'
PAGE = b"<html>503 Service Temporarily Unavailable</html>"


@pytest.mark.parametrize(
    ("status", "data", "retry_after", "seconds"),
    [
        (429, b"", "7", 7.0),
        (429, PAGE, "", None),
        (503, PAGE, "2", 2.0),
        (503, VLLM, "", None),
        (503, OLLAMA, "", None),
        (429, b"", "0.5", 0.5),
        (429, b"", "-3", 0.0),
        (429, b"", "soon", None),
        (429, b"", "nan", None),
        (429, b"", "99999999", 3600.0),
    ],
)
def test_a_replica_without_room(
    status: int, data: bytes, retry_after: str, seconds: float | None
) -> None:
    found = refusal(status, data, ApiKind.COMPLETION, retry_after)
    assert isinstance(found, Busy)
    assert found.retry_after_s == seconds


def test_a_date_is_a_time_from_now() -> None:
    then = datetime.now(UTC) + timedelta(seconds=30)
    found = refusal(429, b"", ApiKind.CHAT, format_datetime(then, usegmt=True))
    assert isinstance(found, Busy)
    assert found.retry_after_s is not None
    assert 28 < found.retry_after_s <= 30


@pytest.mark.parametrize(("status", "data"), [(503, PAGE), (503, b""), (500, VLLM), (502, PAGE)])
def test_a_replica_that_is_broken(status: int, data: bytes) -> None:
    found = refusal(status, data, ApiKind.COMPLETION)
    assert isinstance(found, AttemptBroken)
    assert not isinstance(found, Busy)

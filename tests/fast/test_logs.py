"""Lines of the server's log."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from io import StringIO

import pytest

from cato_backend.logs import NEWS, JsonFormatter, LogFormat, RateLimitedLog, TextFormatter, set_up
from cato_backend.requests import Request, Target
from cato_backend.runtime.calls import ApiKind, Call
from cato_backend.runtime.lateness import CallTiming
from cato_backend.runtime.slow_requests import SlowRequests
from cato_backend.wire.headers import Task


@pytest.fixture(autouse=True)
def former() -> Iterator[None]:
    """What a test sets up holds for the whole process."""
    root, own = logging.getLogger(), logging.getLogger("cato_backend")
    kept = root.level, own.level, list(root.handlers)
    yield
    root.setLevel(kept[0])
    own.setLevel(kept[1])
    root.handlers[:] = kept[2]


def written(formatter: logging.Formatter, *, name: str = "cato_backend.runtime") -> str:
    """A warning about a request, as it is written."""
    out = StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    extra = {"request_id": "r1", "secret": "s3cret"}
    record = logging.LogRecord(name, logging.WARNING, __file__, 1, "slow: %s", ("x\ny",), None)
    record.__dict__.update(extra)
    handler.emit(record)
    return out.getvalue()


def test_a_json_line_has_its_level_and_the_request() -> None:
    line = json.loads(written(JsonFormatter()))
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "warning", "logger": "cato_backend.runtime", "message": "slow: x\ny",
        "request_id": "r1",
    }  # fmt: skip
    assert written(JsonFormatter()).count("\n") == 1


def test_a_json_line_holds_the_trace_of_a_defect() -> None:
    try:
        raise KeyError("k")
    except KeyError as error:
        found = (KeyError, error, error.__traceback__)
        record = logging.LogRecord("l", logging.ERROR, __file__, 1, "defect", (), found)
    line = json.loads(JsonFormatter().format(record))
    assert "KeyError: 'k'" in line["exception"]


def test_lines_for_people() -> None:
    assert written(TextFormatter(0.0)) == "WARNING slow: x\n  y\n"
    news = written(TextFormatter(10.0, lambda: 12.345), name=NEWS.name)
    assert news == "[   2.3 s] slow: x\n  y\n"


@pytest.mark.parametrize("name", ["cato_backend.runtime", NEWS.name])
def test_words_of_others_make_no_lines_of_their_own_and_control_no_terminal(name: str) -> None:
    words = "up: m\n[   9.9 s] forged\r\x1b[31mred\x00\x85\u2028\x9b1m\tend"
    record = logging.LogRecord(name, logging.INFO, __file__, 1, "%s", (words,), None)
    line = TextFormatter(0.0, lambda: 1.0).format(record)
    assert line.endswith(
        r"up: m" "\n" r"  [   9.9 s] forged\r\x1b[31mred\x00\x85\u2028\x9b1m" "\tend"
    )


def test_lines_that_are_indented_already_stay_as_they_are() -> None:
    record = logging.LogRecord("l", logging.ERROR, __file__, 1, "it said\n  a\n  b", (), None)
    assert TextFormatter(0.0).format(record) == "ERROR it said\n  a\n  b"


@pytest.mark.parametrize(
    ("level", "told"),
    [("debug", 3), ("info", 2), ("warning", 1), ("error", 0)],
)
def test_a_level_holds_for_our_lines_and_libraries_stay_quiet(
    capsys: pytest.CaptureFixture[str], level: str, told: int
) -> None:
    set_up(LogFormat.JSON, level, 0.0)
    log = logging.getLogger("cato_backend.gateway")
    log.debug("a")
    log.info("b")
    log.warning("c")
    logging.getLogger("asyncio").info("of a library")
    assert len(capsys.readouterr().err.splitlines()) == told


def test_a_flood_is_counted_and_not_written(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    sparing = RateLimitedLog(logging.getLogger("cato_backend.test"), 2, 60.0, lambda: now)
    for _ in range(5):
        sparing.warning("refused: %s", "code", extra={"code": "code"})
    assert len(caplog.records) == 2
    now = 60.0
    sparing.warning("refused: %s", "code", extra={"code": "code"})
    assert caplog.records[-1].getMessage() == "refused: code (3 more were not logged)"
    assert caplog.records[-1].__dict__["suppressed"] == 3


@pytest.mark.parametrize(("times", "told"), [(5.0, [6.0]), (0.0, []), (0.5, [1.1, 6.0])])
def test_only_what_took_many_times_its_target_is_logged(
    caplog: pytest.LogCaptureFixture, times: float, told: list[float]
) -> None:
    slow = SlowRequests(times, lambda: 0.0)
    request = Request("r", Task.GENERATION, "m", 0.0, Target(ttft_s=1.0), 10, 10)
    for promised_s in (1.1, 6.0):
        timing = CallTiming(budget_s=1.0, promised_s=promised_s, queue_s=promised_s - 0.1)
        slow.ended(Call(request, ApiKind.COMPLETION, {}), "a", timing)
    assert [record.__dict__["request_id"] for record in caplog.records] == ["r"] * len(told)
    for record, seconds in zip(caplog.records, told, strict=True):
        assert f"generation for m came after {seconds:.1f} s: " in record.getMessage()
        assert "in the queue" in record.getMessage()

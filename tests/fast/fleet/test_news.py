"""The lines that the server told."""

from __future__ import annotations

from itertools import count

from cato_backend.logs import NewsLog


def test_lines_are_passed_on_and_the_newest_kept() -> None:
    told: list[str] = []
    log = NewsLog(told.append, count(1.0).__next__)
    for n in range(250):
        log.tell(f"line {n}")
    assert told == [f"line {n}" for n in range(250)]
    assert log.newest()[0] == (250.0, "line 249")
    assert [item.text for item in log.newest()] == [f"line {n}" for n in range(249, 49, -1)]


def test_a_long_line_is_passed_on_whole_and_kept_in_part() -> None:
    told: list[str] = []
    log = NewsLog(told.append, lambda: 0.0)
    log.tell("x" * 10_000)
    assert (len(told[0]), len(log.newest()[0].text)) == (10_000, 500)

"""What the clients of `bench.chaos` count as lost, and the table that is made of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.chaos.engines import REPLY
from bench.chaos.load import End, judge
from bench.chaos.report import BEGIN, END, table, write_table

ROOT = Path(__file__).parents[3]
RESULTS = ROOT / "bench" / "results" / "chaos.json"
PAGE = ROOT / "docs" / "reliability.md"
ERROR = '{"error":{"message":"m","type":"t","param":null,"code":"expired"}}'


def chunk(text: str) -> str:
    return f"data: {json.dumps({'choices': [{'text': text}]})}\n\n"


@pytest.mark.parametrize(
    ("status", "data", "end"),
    [
        (200, chunk(REPLY[:9]) + chunk(REPLY[9:]) + "data: [DONE]\n\n", End.WHOLE),
        (200, chunk(REPLY[:9]) + "data: [DONE]\n\n", End.WRONG),
        (200, chunk(REPLY), End.CUT),
        (200, chunk(REPLY[:9]) + f"data: {ERROR}\n\ndata: [DONE]\n\n", End.TOLD),
        (200, chunk(REPLY[:9]) + "event: error\ndata: it failed\n\n", End.TOLD),
        (200, 'data: {"object":"error","message":"m"}\n\ndata: [DONE]\n\n', End.TOLD),
        (200, "<html></html>", End.CUT),
        (503, ERROR, End.TOLD),
        (502, "<html></html>", End.TOLD),
    ],
)
def test_a_stream_is_whole_told_cut_or_wrong(status: int, data: str, end: End) -> None:
    assert judge(status, data.encode(), stream=True)[0] is end


@pytest.mark.parametrize(
    ("status", "data", "end"),
    [
        (200, json.dumps({"choices": [{"text": REPLY}]}), End.WHOLE),
        (200, json.dumps({"choices": [{"text": REPLY[:9]}]}), End.WRONG),
        (200, ERROR, End.TOLD),
        (200, "<html></html>", End.WRONG),
        (429, ERROR, End.TOLD),
    ],
)
def test_so_is_an_answer_in_one_piece(status: int, data: str, end: End) -> None:
    assert judge(status, data.encode(), stream=False)[0] is end


def test_the_code_of_an_error_is_told() -> None:
    assert judge(503, ERROR.encode(), stream=True) == (End.TOLD, "expired")


def test_the_page_shows_the_results() -> None:
    made = table(json.loads(RESULTS.read_text()))
    assert f"{BEGIN}\n\n{made}\n\n{END}" in PAGE.read_text()


def test_a_page_without_a_place_for_it_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing\n")
    with pytest.raises(ValueError, match="no lines"):
        write_table({"runs": []}, page)
    assert page.read_text() == "nothing\n"

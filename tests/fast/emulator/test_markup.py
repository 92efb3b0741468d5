"""What the emulated parsers make of a model's text, however its tokens cut it."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cato_lab.emulator.markup import MarkupReader, whole_message

CALLS = [{"path": "/a.py", "n": {"x": {}}}, {}]
TEXT = "<think>I < you.</think>Look <b>here</b>." + "".join(
    f'<tool_call>\n{{"name": "Read", "arguments": {json.dumps(call)}}}\n</tool_call>'
    for call in CALLS
)


@given(cuts=st.lists(st.integers(0, len(TEXT))))
def test_a_stream_says_what_the_whole_text_says(cuts: list[int]) -> None:
    reader = MarkupReader()
    said = {"reasoning": "", "content": ""}
    arguments: dict[int, str] = {}
    places = sorted({0, *cuts, len(TEXT)})
    deltas: list[dict[str, Any]] = [reader.feed(TEXT[a:b]) for a, b in pairwise(places)]
    for delta in [*deltas, reader.feed("", is_last=True)]:
        for name in said:
            said[name] += delta.get(name, "")
        for call in delta.get("tool_calls", ()):
            index = call["index"]
            arguments[index] = arguments.get(index, "") + call["function"]["arguments"]
    assert said == {"reasoning": "I < you.", "content": "Look <b>here</b>."}
    assert [json.loads(each) for each in arguments.values()] == CALLS
    assert reader.calls == len(CALLS)


def test_a_whole_message() -> None:
    message = whole_message(TEXT)
    assert (message["reasoning"], message["content"]) == ("I < you.", "Look <b>here</b>.")
    functions = [call["function"] for call in message["tool_calls"]]
    assert [(each["name"], json.loads(each["arguments"])) for each in functions] == [
        ("Read", call) for call in CALLS
    ]
    assert whole_message("plain") == {"content": "plain"}

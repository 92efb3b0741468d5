"""A chat's stream told as Anthropic's Messages and OpenAI's Responses: always well-formed."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cato_backend.errors import UpstreamFailed
from cato_backend.gateway.agents.messages_answer import MessagesWriter
from cato_backend.gateway.agents.responses_answer import ResponsesWriter
from cato_backend.gateway.agents.responses_body import ResponsesBody
from cato_backend.gateway.agents.translation import AnswerWriter, ChatTranslation, whole_answer
from cato_backend.wire import sse

USAGE = {
    "prompt_tokens": 50,
    "completion_tokens": 7,
    "total_tokens": 57,
    "prompt_tokens_details": {"cached_tokens": 32},
}
RESPONSES_BODY = ResponsesBody.model_validate({"model": "cato", "input": "Go on."})


@dataclass
class Chat:
    """What a model says, and the deltas in which it comes."""

    reasoning: str = ""
    text: str = ""
    calls: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Id to name and arguments."""
    deltas: list[dict[str, Any]] = field(default_factory=list)


def pieces_of(text: str, cuts: Iterable[int]) -> list[str]:
    places = sorted({cut % (len(text) + 1) for cut in cuts} | {0, len(text)})
    return [text[a:b] for a, b in pairwise(places)]


def call_deltas(number: int, call_id: str, name: str, pieces: list[str]) -> Iterator[Any]:
    """A call's first delta names it; the next ones add to its arguments."""
    function: dict[str, Any] = {"name": name, "arguments": ""}
    yield {"tool_calls": [{"index": number, "id": call_id, "type": "function",
                           "function": function}]}  # fmt: skip
    for piece in pieces:
        yield {"tool_calls": [{"index": number, "function": {"arguments": piece}}]}


ARGUMENTS = st.dictionaries(
    st.text(max_size=4), st.text(max_size=6) | st.integers() | st.lists(st.none(), max_size=2),
    max_size=3,
).map(json.dumps)  # fmt: skip
CUTS = st.lists(st.integers(0, 40), max_size=4)


@st.composite
def chats(draw: st.DrawFn) -> Chat:
    """Reasoning, text and calls, each in order, interleaved in any way."""
    chat = Chat(draw(st.text(max_size=12)), draw(st.text(max_size=12)))
    lanes: list[list[dict[str, Any]]] = [
        [{draw(st.sampled_from(["reasoning", "reasoning_content"])): piece}
         for piece in pieces_of(chat.reasoning, draw(CUTS))],
        [{"content": piece} for piece in pieces_of(chat.text, draw(CUTS))],
    ]  # fmt: skip
    for number in range(draw(st.integers(0, 3))):
        call_id, name, arguments = f"call_{number}", f"tool_{number}", draw(ARGUMENTS)
        chat.calls[call_id] = (name, arguments)
        pieces = pieces_of(arguments, draw(CUTS))
        lanes.append(list(call_deltas(number, call_id, name, pieces)))
    while lanes := [lane for lane in lanes if lane]:
        chat.deltas.append(draw(st.sampled_from(lanes)).pop(0))
    return chat


def stream_of(chat: Chat, reason: str = "stop", **choice: Any) -> bytes:
    """The chat as vLLM streams it."""
    first = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}
    chunks: list[dict[str, Any]] = [first]
    chunks += [{"choices": [{"index": 0, "delta": delta}]} for delta in chat.deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": reason, **choice}]})
    chunks.append({"choices": [], "usage": USAGE})
    data = b"".join(sse.json_event(orjson.dumps(chunk)) for chunk in chunks)
    return data + sse.event(sse.DONE)


def told(writer: AnswerWriter, data: bytes, cuts: Iterable[int] = ()) -> list[dict[str, Any]]:
    """The events that the stream becomes, wherever its bytes are cut."""
    translation = ChatTranslation(writer)
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    parts = [data[a:b] for a, b in pairwise(places)]
    return read(b"".join(map(translation.feed, parts)))


def read(data: bytes) -> list[dict[str, Any]]:
    """The events' data; each has the name that its type says."""
    events = sse.EventReader().feed(data)
    values = [orjson.loads(event.data) for event in events]
    assert [event.name for event in events] == [value["type"] for value in values]
    return values


def checked_messages(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The blocks of a well-formed stream: one is open at a time, with the next index."""
    start, *middle, delta, stop = events
    assert start["type"] == "message_start"
    assert start["message"]["content"] == []
    assert (delta["type"], stop["type"]) == ("message_delta", "message_stop")
    blocks: list[dict[str, Any]] = []
    is_open = False
    for event in middle:
        if event["type"] == "content_block_start":
            assert not is_open
            blocks.append({**event["content_block"], "said": ""})
            is_open = True
        assert is_open
        assert event["index"] == len(blocks) - 1
        if event["type"] == "content_block_delta":
            (said,) = [value for name, value in event["delta"].items() if name != "type"]
            blocks[-1]["said"] += said
        is_open = event["type"] != "content_block_stop"
    assert not is_open
    return blocks


def checked_response(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The response at the end of a well-formed stream, which is what its items were told as."""
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    created, in_progress, *middle, last = events
    assert (created["type"], in_progress["type"]) == ("response.created", "response.in_progress")
    items: list[dict[str, Any]] = []
    said: dict[str, str] = defaultdict(str)
    open_id = ""
    for event in middle:
        assert event["output_index"] == len(items)
        if event["type"] == "response.output_item.added":
            assert not open_id
            open_id = event["item"]["id"]
        elif event["type"] == "response.output_item.done":
            assert event["item"]["id"] == open_id
            items.append(event["item"])
            open_id = ""
        else:
            assert event["item_id"] == open_id
            said[open_id] += event["delta"] if event["type"].endswith(".delta") else ""
    assert not open_id
    assert last["response"]["output"] == items
    for item in items:
        assert said[item["id"]] == said_by(item)
    return dict(last["response"])


def said_by(item: dict[str, Any]) -> str:
    match item:
        case {"type": "reasoning", "summary": [{"text": str(text)}]}:
            return text
        case {"type": "message", "content": [{"text": str(text)}]}:
            return text
        case {"type": "function_call", "arguments": str(text)}:
            return text
    raise AssertionError(item)


@given(chat=chats(), cuts=st.lists(st.integers(0, 5000), max_size=5))
def test_messages_are_well_formed_and_whole(chat: Chat, cuts: list[int]) -> None:
    blocks = checked_messages(told(MessagesWriter("m"), stream_of(chat), cuts))
    said: dict[str, str] = defaultdict(str)
    for block in blocks:
        said[block["type"]] += block["said"]
    assert (said["thinking"], said["text"]) == (chat.reasoning, chat.text)
    calls = {b["id"]: (b["name"], b["said"]) for b in blocks if b["type"] == "tool_use"}
    assert calls == chat.calls
    assert len(calls) == sum(block["type"] == "tool_use" for block in blocks)


@given(chat=chats(), cuts=st.lists(st.integers(0, 5000), max_size=5))
def test_responses_are_well_formed_and_whole(chat: Chat, cuts: list[int]) -> None:
    response = checked_response(told(ResponsesWriter(RESPONSES_BODY), stream_of(chat), cuts))
    said: dict[str, str] = defaultdict(str)
    for item in response["output"]:
        said[item["type"]] += said_by(item)
    assert (said["reasoning"], said["message"]) == (chat.reasoning, chat.text)
    calls = {
        item["call_id"]: (item["name"], item["arguments"])
        for item in response["output"]
        if item["type"] == "function_call"
    }
    assert calls == chat.calls


@given(chat=chats(), at=st.integers(0, 5000))
def test_an_error_ends_a_stream_once(chat: Chat, at: int) -> None:
    data = stream_of(chat)
    data = data[: data.index(b"data: [DONE]")]
    for writer, last in (
        (MessagesWriter("m"), "error"),
        (ResponsesWriter(RESPONSES_BODY), "response.failed"),
    ):
        translation = ChatTranslation(writer)
        sent = translation.feed(data[: at % (len(data) + 1)])
        sent += translation.fail(UpstreamFailed("the replica died"))
        sent += translation.feed(data) + translation.fail(UpstreamFailed("again"))
        events = read(sent)
        assert [event["type"] for event in events].count(last) == 1
        assert events[-1]["type"] == last


@given(chat=chats())
def test_a_whole_answer_is_what_its_stream_says(chat: Chat) -> None:
    message = {
        "role": "assistant", "reasoning": chat.reasoning or None, "content": chat.text or None,
        "tool_calls": [
            {"id": call_id, "type": "function", "function": {"name": name, "arguments": said}}
            for call_id, (name, said) in chat.calls.items()
        ],
    }  # fmt: skip
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    answer = whole_answer({"choices": [choice], "usage": USAGE}, MessagesWriter("m"))
    ordered = Chat(deltas=[{"reasoning": chat.reasoning}, {"content": chat.text}])
    for number, (call_id, (name, said)) in enumerate(chat.calls.items()):
        ordered.deltas += call_deltas(number, call_id, name, [said])
    blocks = checked_messages(told(MessagesWriter("m"), stream_of(ordered)))
    assert [block["type"] for block in answer["content"]] == [block["type"] for block in blocks]
    for whole, streamed in zip(answer["content"], blocks, strict=True):
        is_call = whole["type"] == "tool_use"
        said = json.loads(streamed["said"]) if is_call else streamed["said"]
        assert whole["input" if is_call else whole["type"]] == said


@pytest.mark.parametrize(
    ("reason", "choice", "deltas", "expected"),
    [
        ("stop", {}, [{"content": "a"}], ("end_turn", None)),
        ("stop", {"stop_reason": "END"}, [{"content": "a"}], ("stop_sequence", "END")),
        ("stop", {"stop_reason": 151643}, [{"content": "a"}], ("end_turn", None)),
        ("length", {}, [{"content": "a"}], ("max_tokens", None)),
        ("tool_calls", {}, list(call_deltas(0, "c", "f", ["{}"])), ("tool_use", None)),
        ("stop", {}, list(call_deltas(0, "c", "f", ["{}"])), ("tool_use", None)),
        ("length", {}, list(call_deltas(0, "c", "f", ['{"a'])), ("max_tokens", None)),
        ("content_filter", {}, [], ("refusal", None)),
    ],
)
def test_why_a_message_ended(
    reason: str, choice: dict[str, Any], deltas: list[Any], expected: tuple[str, str | None]
) -> None:
    *_, delta, _ = told(MessagesWriter("m"), stream_of(Chat(deltas=deltas), reason, **choice))
    assert (delta["delta"]["stop_reason"], delta["delta"]["stop_sequence"]) == expected
    assert delta["usage"] == {
        "input_tokens": 18,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 32,
        "output_tokens": 7,
    }


@pytest.mark.parametrize(
    ("reason", "status", "details"),
    [
        ("stop", "completed", None),
        ("tool_calls", "completed", None),
        ("length", "incomplete", {"reason": "max_output_tokens"}),
        ("content_filter", "incomplete", {"reason": "content_filter"}),
    ],
)
def test_how_a_response_ended(reason: str, status: str, details: Any) -> None:
    chat = Chat(deltas=[{"content": "a"}])
    *_, last = told(ResponsesWriter(RESPONSES_BODY), stream_of(chat, reason))
    assert last["type"] == f"response.{status}"
    assert last["response"]["status"] == status
    assert last["response"]["incomplete_details"] == details
    assert last["response"]["usage"]["input_tokens_details"] == {"cached_tokens": 32}
    assert last["response"]["usage"]["total_tokens"] == 57


def test_a_request_that_its_client_ended_by_name_ends_well() -> None:
    """Then no finish reason comes before the end."""
    data = sse.json_event(orjson.dumps({"choices": [{"delta": {"content": "a"}}]}))
    data += sse.event(sse.DONE)
    assert checked_messages(told(MessagesWriter("m"), data))[0]["said"] == "a"
    response = checked_response(told(ResponsesWriter(RESPONSES_BODY), data))
    assert response["status"] == "incomplete"


def test_parallel_calls_that_a_server_numbers_alike_are_told_apart() -> None:
    deltas = [*call_deltas(0, "a", "f", ["{}"]), *call_deltas(0, "b", "f", ['{"x": 1}'])]
    blocks = checked_messages(told(MessagesWriter("m"), stream_of(Chat(deltas=deltas))))
    assert [(block["id"], block["said"]) for block in blocks] == [("a", "{}"), ("b", '{"x": 1}')]


def test_arguments_that_the_limit_cut_are_kept_as_far_as_they_go() -> None:
    calls = [{"id": "c", "function": {"name": "f", "arguments": '{"path": "/a", "text": "ab'}}]
    choice = {"message": {"tool_calls": calls}, "finish_reason": "length"}
    answer = whole_answer({"choices": [choice]}, MessagesWriter("m"))
    assert answer["content"][0]["input"] == {"path": "/a"}


def test_a_tool_of_plain_text_is_called_with_plain_text() -> None:
    tools = [
        {"type": "custom", "name": "patch"},
        {"type": "namespace", "name": "web", "tools": [{"type": "function", "name": "get"}]},
        {"type": "web_search"},
    ]
    body = ResponsesBody.model_validate({"input": "Go on.", "tools": tools})
    deltas = [
        *call_deltas(0, "a", "patch", ['{"input": "*** Begin"}']),
        *call_deltas(1, "b", "web__get", ["{}"]),
    ]
    *_, last = told(ResponsesWriter(body), stream_of(Chat(deltas=deltas), "tool_calls"))
    custom, function = last["response"]["output"]
    assert (custom["type"], custom["name"], custom["input"]) == (
        "custom_tool_call", "patch", "*** Begin"
    )  # fmt: skip
    assert (function["name"], function["namespace"]) == ("get", "web")


@pytest.mark.parametrize(
    "chunk", [{"choices": [{"delta": {"tool_calls": 3}}]}, {"choices": [1]}, {"usage": {
        "completion_tokens_details": 1}, "choices": []}]
)  # fmt: skip
def test_chunks_that_are_not_openai_s_are_the_replica_s_failure(chunk: dict[str, Any]) -> None:
    with pytest.raises(UpstreamFailed):
        ChatTranslation(MessagesWriter("m")).feed(sse.json_event(orjson.dumps(chunk)))

"""Anthropic's Messages and OpenAI's Responses as the chat that says the same."""

from __future__ import annotations

from typing import Any

import pytest

from cato_backend.errors import InvalidRequest
from cato_backend.gateway.agents import messages_chat, responses_chat
from cato_backend.gateway.agents.handlers import served_name
from cato_backend.gateway.agents.messages_body import MessagesBody
from cato_backend.gateway.agents.responses_body import ResponsesBody
from cato_backend.gateway.incoming import validated
from cato_backend.runtime.catalog import Catalog

ASK = [{"role": "user", "content": "Go on."}]
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
URL = "data:image/png;base64,aGk="


def chat_of_messages(**fields: Any) -> dict[str, Any]:
    body = {"model": "claude-opus", "max_tokens": 9, "messages": ASK, **fields}
    return messages_chat.chat_of(validated(MessagesBody, body))


def chat_of_response(**fields: Any) -> dict[str, Any]:
    return responses_chat.chat_of(validated(ResponsesBody, {"input": "Go on.", **fields}))


# -- Messages ------------------------------------------------------------------------------------


def test_a_conversation_with_tools() -> None:
    messages = [
        {"role": "user", "content": "What is in a.py and b.py?"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "I look.", "signature": ""},
            {"type": "redacted_thinking", "data": "x"},
            {"type": "text", "text": "Looking."},
            {"type": "tool_use", "id": "t1", "name": "Read", "input": {"path": "a.py"}},
            {"type": "tool_use", "id": "t2", "name": "Read", "input": {}},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "t1", "content": "x = 1", "is_error": False},
            {"type": "tool_result", "tool_use_id": "t2",
             "content": [{"type": "text", "text": "no such file"}], "is_error": True},
            {"type": "text", "text": "Well?", "cache_control": {"type": "ephemeral"}},
        ]},
        {"role": "system", "content": "The user is in a hurry."},
    ]  # fmt: skip
    first, call, *results = chat_of_messages(messages=messages)["messages"]
    assert first == {"role": "user", "content": "What is in a.py and b.py?"}
    assert call["content"] == "Looking."
    assert call["reasoning"] == call["reasoning_content"] == "I look."
    assert [
        (each["id"], each["function"]["name"], each["function"]["arguments"])
        for each in call["tool_calls"]
    ] == [("t1", "Read", '{"path":"a.py"}'), ("t2", "Read", "{}")]
    assert results == [
        {"role": "tool", "tool_call_id": "t1", "content": "x = 1"},
        {"role": "tool", "tool_call_id": "t2", "content": "no such file"},
        {"role": "user", "content": "Well?"},
        {"role": "user", "content": "The user is in a hurry."},
    ]


def test_what_differs_in_each_system_prompt_of_claude_code_is_left_out() -> None:
    """Else no engine could reuse what it has computed for the prompt before."""
    system = [
        {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1; cch=1f3a;"},
        {"type": "text", "text": "You are an agent."},
        {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}},
    ]
    first = chat_of_messages(system=system)["messages"][0]
    assert first == {"role": "system", "content": "You are an agent.\n\nBe brief."}
    assert chat_of_messages(system="Be brief.")["messages"][0]["content"] == "Be brief."


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"type": "auto"}, {"tool_choice": "auto"}),
        ({"type": "any"}, {"tool_choice": "required"}),
        ({"type": "none"}, {"tool_choice": "none"}),
        ({"type": "tool", "name": "Read"},
         {"tool_choice": {"type": "function", "function": {"name": "Read"}}}),
        ({"type": "auto", "disable_parallel_tool_use": True},
         {"tool_choice": "auto", "parallel_tool_calls": False}),
        (None, {}),
    ],
)  # fmt: skip
def test_tools_and_the_choice_of_one(given: Any, expected: dict[str, Any]) -> None:
    tools = [{"name": "Read", "description": "Reads.", "input_schema": {"type": "object"}}]
    chat = chat_of_messages(tools=tools, tool_choice=given)
    function = {"name": "Read", "parameters": {"type": "object"}, "description": "Reads."}
    assert chat["tools"] == [{"type": "function", "function": function}]
    assert {name: chat[name] for name in chat if name in (
        "tool_choice", "parallel_tool_calls")} == expected  # fmt: skip


def test_limits_stops_and_sampling() -> None:
    chat = chat_of_messages(stop_sequences=["END"], temperature=0.5, top_p=0.9, top_k=4)
    assert (chat["max_tokens"], chat["stop"]) == (9, ["END"])
    assert (chat["temperature"], chat["top_p"], chat["top_k"]) == (0.5, 0.9, 4)
    assert "stream" not in chat
    streamed = chat_of_messages(stream=True, stop_sequences=[])
    assert streamed["stream_options"] == {"include_usage": True}
    assert "stop" not in streamed


def test_a_schema_for_the_answer() -> None:
    schema = {"type": "object"}
    chat = chat_of_messages(output_config={"format": {"type": "json_schema", "schema": schema}})
    assert chat["response_format"]["json_schema"] == {"name": "answer", "schema": schema}


def test_an_answer_that_the_client_has_begun_is_continued() -> None:
    begun = chat_of_messages(messages=[*ASK, {"role": "assistant", "content": "{"}])
    assert begun["continue_final_message"] is True
    assert begun["add_generation_prompt"] is False
    assert "continue_final_message" not in chat_of_messages()


def test_images_and_documents_of_text() -> None:
    document = {"type": "document", "source": {"type": "text", "media_type": "text/plain",
                                              "data": "a page"}}  # fmt: skip
    result = {"type": "tool_result", "tool_use_id": "t", "content": [IMAGE]}
    content = [result, document, {"type": "text", "text": "See."}]
    tool, user = chat_of_messages(messages=[{"role": "user", "content": content}])["messages"]
    assert tool == {"role": "tool", "tool_call_id": "t", "content": ""}
    assert user["content"] == [
        {"type": "image_url", "image_url": {"url": URL}},
        {"type": "text", "text": "a page"},
        {"type": "text", "text": "See."},
    ]


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
         "input_schema: got None, expected the schema of 'web_search_20250305'; tools of"),
        ({"messages": [{"role": "user", "content": [{"type": "document", "source": {
            "type": "base64", "data": ""}}]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{"type": "server_tool_use"}]}]},
         "server_tool_use"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "critic", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages[0].content"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"temperature": 1.5}, "temperature"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_of_messages_is_named(fields: dict[str, Any], names: str) -> None:
    with pytest.raises(InvalidRequest, match=names.replace("[", r"\[")):
        chat_of_messages(**fields)


# -- Responses -----------------------------------------------------------------------------------


def test_a_response_s_input_with_calls_and_reasoning() -> None:
    items = [
        {"type": "message", "role": "developer", "content": [
            {"type": "input_text", "text": "You are an agent."}]},
        {"role": "user", "content": "What is in a.py?"},
        {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "I look."}]},
        {"type": "message", "role": "assistant", "content": [
            {"type": "output_text", "text": "Looking.", "annotations": []}]},
        {"type": "function_call", "call_id": "c1", "name": "read", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "c2", "name": "patch", "input": "*** Begin"},
        {"type": "function_call", "call_id": "c3", "name": "get", "namespace": "web",
         "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "x = 1"},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": [
            {"type": "input_text", "text": "Done."}]},
        {"role": "developer", "content": "Be brief."},
    ]  # fmt: skip
    messages = chat_of_response(input=items, instructions="Rules.")["messages"]
    system, user, answer, *rest = messages
    assert system == {"role": "system", "content": "Rules.\n\nYou are an agent."}
    assert user == {"role": "user", "content": "What is in a.py?"}
    assert (answer["role"], answer["content"]) == ("assistant", "Looking.")
    assert answer["reasoning"] == "I look."
    assert [
        (call["id"], call["function"]["name"], call["function"]["arguments"])
        for call in answer["tool_calls"]
    ] == [("c1", "read", "{}"), ("c2", "patch", '{"input":"*** Begin"}'), ("c3", "web__get", "{}")]
    assert rest == [
        {"role": "tool", "tool_call_id": "c1", "content": "x = 1"},
        {"role": "tool", "tool_call_id": "c2", "content": "Done."},
        {"role": "user", "content": "Be brief."},
    ]


def test_tools_that_the_client_runs_reach_the_model() -> None:
    tools = [
        {"type": "function", "name": "read", "parameters": {"type": "object"}, "strict": False},
        {"type": "custom", "name": "patch", "format": {"type": "grammar"}},
        {"type": "namespace", "name": "web", "tools": [{"type": "function", "name": "get"}]},
        {"type": "web_search", "external_web_access": False},
    ]
    added = {"type": "additional_tools", "tools": [{"type": "custom", "name": "exec"}]}
    chat = chat_of_response(tools=tools, input=[added, *ASK], tool_choice="required")
    functions = {each["function"]["name"]: each["function"] for each in chat["tools"]}
    assert list(functions) == ["read", "patch", "web__get", "exec"]
    assert functions["read"]["strict"] is False
    assert functions["exec"]["parameters"]["required"] == ["input"]
    assert chat["tool_choice"] == "required"
    assert chat["messages"] == ASK


def test_options_of_a_response() -> None:
    schema = {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}
    chat = chat_of_response(
        max_output_tokens=7,
        temperature=0,
        reasoning={"effort": "low", "summary": "auto"},
        text={"format": schema, "verbosity": "low"},
        store=True,
        include=["reasoning.encrypted_content"],
        stream=True,
    )
    assert (chat["max_tokens"], chat["temperature"], chat["reasoning_effort"]) == (7, 0, "low")
    assert chat["response_format"]["json_schema"]["name"] == "n"
    assert chat["stream_options"] == {"include_usage": True}
    assert not {"store", "include", "tools", "tool_choice"} & chat.keys()
    assert "reasoning_effort" not in chat_of_response(reasoning={"effort": "xhigh"})


def test_an_image_is_taken_from_the_user() -> None:
    content = [{"type": "input_text", "text": "See."}, {"type": "input_image", "image_url": URL}]
    (message,) = chat_of_response(input=[{"role": "user", "content": content}])["messages"]
    assert message["content"][1] == {"type": "image_url", "image_url": {"url": URL}}


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"background": True}, "background"),
        ({"input": []}, "input"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "item_reference"),
        ({"input": [{"type": "additional_tools", "tools": []}]}, "input"),
        ({"input": [{"role": "user", "content": [{"type": "input_file"}]}]}, "input_file"),
        ({"input": [{"type": "function_call_output", "call_id": "c", "output": [
            {"type": "input_image", "image_url": URL}]}]}, "input_image"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_of_a_response_is_named(fields: dict[str, Any], names: str) -> None:
    with pytest.raises(InvalidRequest, match=names):
        chat_of_response(**fields)


# -- names ---------------------------------------------------------------------------------------


def test_a_served_model_counts_before_a_pattern_and_the_first_pattern_that_fits() -> None:
    catalog = Catalog(("gpt-oss", "small"), {})
    patterns = {"claude-haiku-*": "small", "claude-*": "cato", "gpt-*": "cato"}
    names = ("gpt-oss", "gpt-6", "claude-haiku-5", "claude-opus-5", "cato-agent", "mistral")
    assert [served_name(name, catalog, patterns) for name in names] == [
        "gpt-oss", "cato", "small", "cato", "cato-agent", "mistral"
    ]  # fmt: skip

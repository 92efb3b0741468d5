"""Coding agents as guests: Anthropic's and OpenAI's own clients before a real server."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import anthropic
import openai
import pytest
from openai.types.responses import Response

from cato_lab.emulator import Fault, FaultKind
from tests.contract.gateway.conftest import ALICE
from tests.contract.gateway.site import Answer, Site
from tests.contract.gateway.test_ended_by_the_client import LONG, occupied

pytestmark = pytest.mark.asyncio(loop_scope="package")

MESSAGES, RESPONSES = "/v1/messages", "/v1/responses"
ASK: list[Any] = [{"role": "user", "content": "What is in a.py and b.py?"}]
TOOLS: list[Any] = [
    {"name": "Read", "description": "Reads a file.", "input_schema": {"type": "object"}}
]
FUNCTIONS: list[Any] = [{"type": "function", "name": "Read", "parameters": {"type": "object"}}]
CALLS = [{"path": "/a.py", "lines": {"from": 1}}, {"path": "/b.py"}]
LOOKS = "<think>Let me see.</think>I look." + "".join(
    f'<tool_call>{{"name": "Read", "arguments": {json.dumps(call)}}}</tool_call>' for call in CALLS
)
SEARCH = {"type": "web_search_20250305", "name": "web_search"}
IMAGE: dict[str, Any] = {"type": "image", "source": {
    "type": "base64", "media_type": "image/png", "data": "aGk="
}}  # fmt: skip
SEE: list[Any] = [{"role": "user", "content": [
    {"type": "input_image", "image_url": "data:image/png;base64,aGk="}
]}]  # fmt: skip


def claude(site: Site, **options: Any) -> anthropic.AsyncAnthropic:
    """Anthropic's own client, which tries once."""
    key = {"api_key": site.token or "unused", "max_retries": 0, "timeout": 10, **options}
    return anthropic.AsyncAnthropic(base_url=site.url, **key)


def asked(**fields: Any) -> dict[str, Any]:
    return {"model": "claude-opus-5", "max_tokens": 300, "messages": ASK, **fields}


# -- Messages ------------------------------------------------------------------------------------


def checked_call(message: anthropic.types.Message) -> list[Any]:
    """Checks a message of `LOOKS`; returns its calls."""
    thinking, text, *calls = message.content
    assert thinking.type == "thinking"
    assert thinking.thinking == "Let me see."
    assert text.type == "text"
    assert text.text == "I look."
    assert [(each.type, each.name, each.input) for each in calls if each.type == "tool_use"] == [
        ("tool_use", "Read", call) for call in CALLS
    ]
    assert message.stop_reason == "tool_use"
    assert message.model == "claude-opus-5"
    assert message.usage.output_tokens > 0
    return calls


async def test_messages_with_tools_and_reasoning_whole_and_streamed(single: Site) -> None:
    await single.fake.change(reply=LOOKS, parses=True)
    async with claude(single) as client:
        checked_call(await client.messages.create(**asked(tools=TOOLS, system="Be brief.")))
        async with client.messages.stream(**asked(tools=TOOLS, system="Be brief.")) as stream:
            texts = [event.text async for event in stream if event.type == "text"]
            message = await stream.get_final_message()
        checked_call(message)
    assert "".join(texts) == "I look."
    assert message.usage.cache_read_input_tokens is not None
    cached = message.usage.cache_read_input_tokens
    assert cached > 0
    counted = single.fake.requests[-1].body["messages"]
    assert [each["role"] for each in counted] == ["system", "user"]
    assert message.usage.input_tokens > 0


async def test_the_results_of_tools_go_back_and_the_model_goes_on(single: Site) -> None:
    await single.fake.change(replies=[LOOKS], reply="Two files.", parses=True)
    async with claude(single) as client:
        first = await client.messages.create(**asked(tools=TOOLS))
        results = [
            {"type": "tool_result", "tool_use_id": call.id, "content": f"result {number}"}
            for number, call in enumerate(checked_call(first))
        ]
        turns = [
            *ASK,
            {"role": "assistant", "content": first.content},
            {"role": "user", "content": results},
        ]
        second = await client.messages.create(**asked(tools=TOOLS, messages=turns))
    assert [block.model_dump()["text"] for block in second.content] == ["Two files."]
    assert second.stop_reason == "end_turn"
    _, call, *told = single.fake.requests[-1].body["messages"]
    assert call["reasoning"] == "Let me see."
    assert [each["id"] for each in call["tool_calls"]] == [each["tool_call_id"] for each in told]
    assert [each["content"] for each in told] == ["result 0", "result 1"]


async def test_stop_sequences_and_limits(single: Site) -> None:
    await single.fake.change(reply="one two STOP three")
    async with claude(single) as client:
        stopped = await client.messages.create(**asked(stop_sequences=["STOP"]))
        assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", "STOP")
        cut = await client.messages.create(**asked(max_tokens=2))
        assert cut.stop_reason == "max_tokens"
        assert cut.usage.output_tokens == 2


async def test_more_tokens_than_the_model_s_context_are_cut_to_it(single: Site) -> None:
    """Claude Code asks for 64,000, whatever the model is."""
    await single.fake.change(reply="Done.")
    async with claude(single) as client, client.messages.stream(**asked(max_tokens=64_000)) as said:
        assert await said.get_final_text() == "Done."
    assert single.fake.requests[-1].body["max_tokens"] == 4096


async def test_tokens_are_counted_without_a_replica(single: Site) -> None:
    async with claude(single) as client:
        short = await client.messages.count_tokens(model="claude-opus-5", messages=ASK)
        long = await client.messages.count_tokens(
            model="claude-opus-5", messages=ASK, tools=TOOLS, system="word " * 400
        )
    assert 0 < short.input_tokens < 40
    assert 300 < long.input_tokens < 900
    assert not single.fake.requests


async def test_the_list_of_models_in_anthropic_s_shape(single: Site) -> None:
    async with claude(single) as client:
        listed = [model async for model in client.models.list(limit=1000)]
    plain = await single.call("GET", "/v1/models")
    assert [model.id for model in listed] == [entry["id"] for entry in plain.json["data"]]
    assert {model.type for model in listed} == {"model"}
    assert all(model.display_name for model in listed)


async def test_an_agent_s_turn_is_of_its_class_unless_a_header_says_otherwise(
    single: Site,
) -> None:
    for body, path in ((asked(max_tokens=4), MESSAGES), ({"input": "Go on."}, RESPONSES)):
        answer = await single.post(body | {"max_output_tokens": 4}, path)
        assert answer.headers["x-cato-task"] == "agent"
        answer = await single.post(body, path, x_cato_task="generation")
        assert answer.headers["x-cato-task"] == "generation"
        answer = await single.post(body | {"model": "cato-summarization"}, path)
        assert answer.headers["x-cato-task"] == "summarization"


async def test_one_agent_s_session_cannot_fill_the_queue(narrow: Site) -> None:
    """Sessions are told apart by the headers of Claude Code and of Codex."""
    async with occupied(narrow):
        own: list[dict[str, Any]] = [{"x_claude_code_session_id": "one"}] * 2
        queued = [asyncio.create_task(narrow.post(asked(), MESSAGES, **each)) for each in own]
        await narrow.wait_total("cato_requests_waiting", 2)
        assert (await narrow.post(asked(), MESSAGES, **own[0])).status == 429
        codex = {"session_id": "two"}
        queued.append(asyncio.create_task(narrow.post({"input": "x"}, RESPONSES, **codex)))
        await narrow.wait_total("cato_requests_waiting", 3)
        for task in queued:
            task.cancel()
        await narrow.wait_total("cato_requests_waiting", 0)


async def test_a_token_comes_in_either_header(narrow: Site) -> None:
    for options in ({"api_key": ALICE}, {"api_key": None, "auth_token": ALICE}):
        async with claude(narrow, **options) as client:
            assert (await client.messages.create(**asked(max_tokens=2))).content
    async with claude(narrow, api_key="wrong") as client:
        with pytest.raises(anthropic.AuthenticationError) as refused:
            await client.messages.create(**asked())
    assert refused.value.type == "authentication_error"


async def test_errors_of_messages_are_anthropic_s(single: Site) -> None:
    async with claude(single) as client:
        with pytest.raises(anthropic.NotFoundError) as unknown:
            await client.messages.create(**asked(model="mistral-large"))
        assert unknown.value.type == "not_found_error"
        assert "mistral-large" in unknown.value.message
        with pytest.raises(anthropic.BadRequestError, match="prompt is too long"):
            await client.messages.create(**asked(system="word " * 9000))
        with pytest.raises(anthropic.BadRequestError, match="not a multimodal model"):
            await client.messages.create(**asked(messages=[{"role": "user", "content": [IMAGE]}]))
        with pytest.raises(anthropic.BadRequestError, match="input_schema"):
            await client.messages.create(**asked(tools=[SEARCH]))
    refused = await single.call("POST", MESSAGES, data=b"{", headers={"x-request-id": "mine"})
    assert refused.status == 400
    assert refused.json["error"]["type"] == "invalid_request_error"
    assert refused.json["request_id"] == "mine"
    nowhere = await single.call("GET", MESSAGES)
    assert (nowhere.status, nowhere.json["type"]) == (405, "error")


async def test_without_a_replica_agents_are_told_that_there_is_no_room(single: Site) -> None:
    await single.fake.change(listening=False)
    try:
        for budget in ({"x-slo-e2e-ms": "300"}, {"x-slo-ttft-ms": "300"}):
            async with claude(single, default_headers=budget) as client:
                with pytest.raises(anthropic.APIStatusError) as away:
                    await client.messages.create(**asked())
            assert (away.value.status_code, away.value.type) == (529, "overloaded_error")
    finally:
        await single.fake.change(listening=True)
        await single.wait_total("cato_replicas_up", 1)


async def test_a_full_queue_tells_agents_when_to_come_back(narrow: Site) -> None:
    async with occupied(narrow), claude(narrow) as client:
        queued = [
            asyncio.create_task(narrow.post(LONG, x_cato_session=f"editor-{i}")) for i in range(4)
        ]
        await narrow.wait_total("cato_requests_waiting", 4)
        with pytest.raises(anthropic.RateLimitError) as full:
            await client.messages.create(**asked())
        assert int(full.value.response.headers["retry-after"]) >= 1
        assert full.value.type == "rate_limit_error"
        for task in queued:
            task.cancel()
        await asyncio.gather(*queued, return_exceptions=True)


async def test_a_failure_in_mid_stream_is_an_event_of_each_api(pair: Site) -> None:
    fault = Fault(FaultKind.DIE, after_tokens=4)
    await pair.fakes[0].change(faults=[fault])
    async with claude(pair) as client:
        with pytest.raises(anthropic.APIStatusError) as failed:
            async with client.messages.stream(**asked(tools=TOOLS)) as stream:
                await stream.get_final_message()
    assert failed.value.type == "api_error"
    assert not isinstance(failed.value, anthropic.BadRequestError)
    given: dict[str, Any] = {"model": "cato", "input": "x", "tools": FUNCTIONS}
    async with pair.openai() as client, client.responses.stream(**given) as events:
        *_, last = [event async for event in events]
    assert last.type == "response.failed"
    assert last.response.error is not None
    assert last.response.error.code == "server_error"


async def test_an_agent_s_text_is_continued_by_another_replica(pair: Site) -> None:
    async with claude(pair) as client:
        expected = await client.messages.create(**asked(max_tokens=12))
        await pair.fakes[0].change(faults=[Fault(FaultKind.DIE, after_tokens=4)])
        async with client.messages.stream(**asked(max_tokens=12)) as stream:
            message = await stream.get_final_message()
    assert [b.model_dump()["text"] for b in message.content] == [
        b.model_dump()["text"] for b in expected.content
    ]
    assert message.usage.output_tokens == 12


async def test_an_agent_that_leaves_ends_its_turn(single: Site) -> None:
    await single.fake.change(itl_ms=20)
    async with claude(single) as client:
        async with client.messages.stream(**asked(max_tokens=3000)) as stream:
            async for _ in stream.text_stream:
                break
        await single.fake.wait_until(lambda state: state.aborted == 1)


# -- Responses -----------------------------------------------------------------------------------


def checked_response(response: Response) -> list[Any]:
    """Checks a response of `LOOKS`; returns its calls."""
    reasoning, message, *calls = response.output
    assert reasoning.type == "reasoning"
    assert reasoning.summary[0].text == "Let me see."
    assert message.type == "message"
    assert response.output_text == "I look."
    assert [json.loads(each.arguments) for each in calls if each.type == "function_call"] == CALLS
    assert (response.status, response.store, response.model) == ("completed", False, "gpt-6")
    return calls


async def test_responses_with_tools_and_reasoning_whole_and_streamed(single: Site) -> None:
    await single.fake.change(reply=LOOKS, parses=True)
    given: dict[str, Any] = {"model": "gpt-6", "input": "Look.", "tools": FUNCTIONS}
    async with single.openai() as client:
        checked_response(await client.responses.create(**given, instructions="Be brief."))
        async with client.responses.stream(**given) as stream:
            deltas = [event async for event in stream if event.type.endswith(".delta")]
            response = await stream.get_final_response()
    checked_response(response)
    assert {event.type for event in deltas} == {
        "response.reasoning_summary_text.delta",
        "response.output_text.delta",
        "response.function_call_arguments.delta",
    }
    assert response.usage is not None
    assert response.usage.input_tokens_details.cached_tokens > 0


async def test_a_response_s_output_is_the_next_one_s_input(single: Site) -> None:
    await single.fake.change(replies=[LOOKS], reply="Two files.", parses=True)
    async with single.openai() as client:
        first = await client.responses.create(model="gpt-6", input="Look.", tools=FUNCTIONS)
        turns: list[Any] = [{"role": "user", "content": "Look."}, *first.output]
        for number, call in enumerate(checked_response(first)):
            output = {"type": "function_call_output", "call_id": call.call_id}
            turns.append({**output, "output": f"result {number}"})
        second = await client.responses.create(model="gpt-6", input=turns, tools=FUNCTIONS)
    assert second.output_text == "Two files."
    _, call, *told = single.fake.requests[-1].body["messages"]
    assert (call["content"], call["reasoning"]) == ("I look.", "Let me see.")
    assert [each["content"] for each in told] == ["result 0", "result 1"]


async def test_a_response_that_its_limit_cut_is_incomplete(single: Site) -> None:
    async with single.openai() as client:
        cut = await client.responses.create(model="cato", input="x", max_output_tokens=3)
    assert cut.status == "incomplete"
    assert cut.incomplete_details is not None
    assert cut.incomplete_details.reason == "max_output_tokens"


async def test_what_would_have_to_be_kept_is_refused_by_name(single: Site) -> None:
    async with single.openai() as client:
        with pytest.raises(openai.BadRequestError, match="previous_response_id") as refused:
            await client.responses.create(model="cato", input="x", previous_response_id="resp_1")
        assert refused.value.param == "previous_response_id"
        with pytest.raises(openai.BadRequestError, match="not a multimodal model"):
            await client.responses.create(model="cato", input=SEE)


async def test_a_turn_is_ended_by_its_name(single: Site) -> None:
    """The stream ends as its API ends one."""
    await single.fake.change(itl_ms=20)
    for body, path, last in (
        (asked(max_tokens=3000), MESSAGES, "message_stop"),
        ({"input": "x"}, RESPONSES, "response.incomplete"),
    ):
        async with single.opened({**body, "stream": True}, path, x_request_id="turn") as response:
            await response.content.readany()
            assert (await single.cancel("turn")).status == 200
            rest = Answer(200, {}, await response.read())
        assert json.loads(rest.events[-1])["type"] == last

"""Through the real gateway to a real vLLM."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from tests.e2e.real import ENGINE, RealBackend

pytestmark = pytest.mark.timeout(600)

PROMPT = "def add(a, b):\n    return"
GREEDY: dict[str, Any] = {"model": "cato", "temperature": 0, "max_tokens": 24}


@pytest.fixture
def client(real_backend: RealBackend) -> openai.OpenAI:
    """OpenAI's own client."""
    return openai.OpenAI(base_url=f"{real_backend.url}/v1", api_key="none", max_retries=0)


@pytest.fixture
def engine_client(real_backend: RealBackend) -> openai.OpenAI:
    """The same for the engine, behind the gateway's back."""
    (key,) = _keys(real_backend)
    http = real_backend.engine_http()
    return openai.OpenAI(base_url=f"{ENGINE}/v1", api_key=key, max_retries=0, http_client=http)


def _keys(backend: RealBackend) -> list[str]:
    with open(f"/proc/{backend.engine_pid()}/environ") as file:
        variables = file.read().split("\0")
    return [v.partition("=")[2] for v in variables if v.startswith("VLLM_API_KEY=")]


def test_whole_and_streamed_agree(client: openai.OpenAI) -> None:
    whole = client.completions.create(prompt=PROMPT, **GREEDY)
    chunks = list(client.completions.create(prompt=PROMPT, stream=True, **GREEDY))
    assert whole.usage is not None
    assert whole.usage.completion_tokens == 24
    assert "".join(chunk.choices[0].text for chunk in chunks) == whole.choices[0].text
    assert chunks[-1].choices[0].finish_reason == whole.choices[0].finish_reason == "length"


def test_the_gateway_adds_nothing_to_the_text(
    client: openai.OpenAI, engine_client: openai.OpenAI
) -> None:
    through = client.completions.create(prompt=PROMPT, **GREEDY)
    direct = engine_client.completions.create(prompt=PROMPT, **{**GREEDY, "model": "cato-embedded"})
    assert through.choices[0].text == direct.choices[0].text
    assert through.usage == direct.usage


def test_a_suffix_is_rendered_for_the_model(
    client: openai.OpenAI, engine_client: openai.OpenAI
) -> None:
    suffix = "\n\nprint(add(1, 2))\n"
    infilled = client.completions.create(prompt=PROMPT, suffix=suffix, **GREEDY)
    plain = engine_client.completions.create(
        prompt=PROMPT + suffix, **{**GREEDY, "model": "cato-embedded"}
    )
    assert infilled.usage is not None
    assert plain.usage is not None
    markers = infilled.usage.prompt_tokens - plain.usage.prompt_tokens
    # Three markers; one token more or less where prefix and suffix no longer touch.
    assert markers in (2, 3, 4)


def test_markers_in_the_text_are_only_text(client: openai.OpenAI) -> None:
    answer = client.completions.create(prompt="# <|fim_middle|>", suffix="\n", **GREEDY)
    harmless = client.completions.create(prompt="# <fim_middle>", suffix="\n", **GREEDY)
    assert answer.usage is not None
    assert harmless.usage is not None
    assert answer.usage.prompt_tokens > 6
    assert abs(answer.usage.prompt_tokens - harmless.usage.prompt_tokens) <= 4


def test_chat(client: openai.OpenAI) -> None:
    messages: Any = [{"role": "user", "content": "What does add do?"}]
    chunks = list(client.chat.completions.create(messages=messages, stream=True, **GREEDY))
    assert chunks[0].choices[0].delta.role == "assistant"
    whole = client.chat.completions.create(messages=messages, **GREEDY)
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert said == whole.choices[0].message.content


@pytest.mark.parametrize(
    ("change", "status", "param"),
    [
        ({"model": "nope"}, 404, "model"),
        ({"max_tokens": -1}, 400, "max_tokens"),
        ({"max_tokens": 10**9}, 400, "max_tokens"),
        ({"temperature": "hot"}, 400, "temperature"),
        ({"prompt": [10**6] * 4000}, 400, "prompt"),
    ],
)
def test_bad_input_names_the_field(
    client: openai.OpenAI, change: dict[str, Any], status: int, param: str
) -> None:
    with pytest.raises(openai.APIStatusError) as raised:
        client.completions.create(**{"prompt": "x", **GREEDY, **change})
    assert raised.value.status_code == status
    assert isinstance(raised.value.body, dict)
    assert param in str(raised.value.body["param"])


def test_a_prompt_beyond_the_context_is_refused_or_trimmed(client: openai.OpenAI) -> None:
    """With a suffix the head of the prefix is cut, for an editor cannot know the tokens."""
    line = "value = compute(value)\n"
    # The gateway cuts by the characters of a token, which it has to learn of such text first:
    # what other tests have taught it must not decide.
    for _ in range(20):
        client.completions.create(prompt=line * 20, suffix="\n", **{**GREEDY, "max_tokens": 1})
    long = line * 2000
    answer = client.completions.create(prompt=long, suffix="\n", **GREEDY)
    assert answer.usage is not None
    assert 1000 < answer.usage.prompt_tokens < 2048

"""Which models are asked in a chat."""

from __future__ import annotations

import pytest

from cato_backend.tasks.asking import chat
from cato_backend.tasks.detection import ModelTraits, recognize
from cato_backend.tasks.families import EMBEDDED, QWEN3_CODER, QWEN_CODER
from cato_backend.tasks.fim import FimFormat
from cato_backend.tasks.plans import Message


@pytest.mark.parametrize(
    ("name", "fim", "template", "expected"),
    [
        ("Qwen2.5-Coder-7B", QWEN_CODER, True, False),
        ("Qwen2.5-Coder-7B-Instruct", QWEN_CODER, True, True),
        ("Qwen2.5-Coder-7B-Instruct", QWEN_CODER, False, False),
        ("Qwen3-Coder-30B-A3B-FP8", QWEN3_CODER, True, True),
        ("cato-embedded", EMBEDDED, True, False),
        ("Llama-3.1-8B-Instruct", None, True, True),
        ("some-model", None, True, True),
        ("some-model-base", None, True, False),
        ("google/codegemma-7b-it", QWEN_CODER, True, True),
    ],
)
def test_by_name_and_family(
    name: str, fim: FimFormat | None, template: bool, expected: bool
) -> None:
    assert recognize(ModelTraits((name,), fim, template)).follows is expected


def test_what_it_was_loaded_from_has_a_name_too() -> None:
    traits = ModelTraits(("coder", "/models/Qwen2.5-Coder-0.5B-Instruct/"), QWEN_CODER, True)
    assert recognize(traits).follows
    assert "qwen2.5-coder-0.5b-instruct" in recognize(traits).reason


@pytest.mark.parametrize("ends_turns", [True, False])
def test_its_files_tell_where_no_name_does(ends_turns: bool) -> None:
    traits = ModelTraits(("coder", "/models/mine"), QWEN_CODER, True, ends_turns)
    assert recognize(traits).follows is ends_turns


@pytest.mark.parametrize("configured", [True, False])
def test_the_configuration_goes_first(configured: bool) -> None:
    for name in ("m-instruct", "m-base"):
        traits = ModelTraits((name,), None, False, None, configured)
        assert recognize(traits).follows is configured
        assert recognize(traits).reason == "by the configuration"


def test_a_chat_without_a_system_message_says_the_same() -> None:
    asked = chat("You write documentation.", "Document this.", 64)
    (message,) = asked.without_system_message().messages
    assert message == Message("user", "You write documentation.\n\nDocument this.")
    assert asked.without_system_message().without_system_message().messages == (message,)

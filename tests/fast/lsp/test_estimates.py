"""How long the language server expects answers to be, and when it says that they are due."""

from __future__ import annotations

import time

import pytest

from cato_backend.wire import headers
from cato_backend.wire.tasks import TaskKind
from cato_lsp.backend.calls import ClientIds, RequestOptions, completion_call
from cato_lsp.backend.models import Model
from cato_lsp.decisions.classify import (
    BLOCK_TOKENS,
    BODY_TOKENS,
    LINE_TOKENS,
    OPENED_BLOCK_TOKENS,
    Action,
    classify,
    summary_tokens,
    translated_tokens,
)
from cato_lsp.decisions.window import Window
from cato_lsp.settings.settings import Targets
from cato_lsp.syntax import open_document
from cato_lsp.syntax.units import Unit
from cato_lsp.tasks.jobs import Job, call_for
from cato_lsp.tasks.selection import Selection
from tests.fast.lsp.marked import context_at

CLIENT_IDS = ClientIds("session", "document")
MODEL = Model("cato", chars_per_token=4.0)
SOURCE = "def area(width, height):\n    return width * height\n" * 8
"""400 characters: 100 tokens."""


@pytest.mark.parametrize("action", [Action.AUTOMATIC_COMPLETION, Action.INVOKED_COMPLETION])
@pytest.mark.parametrize(
    ("language", "source", "expected"),
    [
        ("python", "def f():\n    # the |\n    return 1\n", LINE_TOKENS),
        ("python", 'a = "hello |"\n', LINE_TOKENS),
        ("python", "print(|)\n", LINE_TOKENS),
        ("go", "x := y.|\n", LINE_TOKENS),
        ("python", "for a in b:|\n", OPENED_BLOCK_TOKENS),
        ("python", "def f(b):\n    if b:\n        |\n    return 1\n", OPENED_BLOCK_TOKENS),
        ("javascript", "if (a) {|\n", OPENED_BLOCK_TOKENS),
        ("java", "void f() {\n    if (x) {\n        |\n    }\n}\n", OPENED_BLOCK_TOKENS),
        ("python", "def f():\n    a = 1\n    |\n\nx = 2\n", BLOCK_TOKENS),
        ("python", "|", BLOCK_TOKENS),
        ("python", "def f(a):\n    |\n", BODY_TOKENS),
        ("python", "# Compute the mean of a list.\n|\n", BODY_TOKENS),
        ("rust", "fn f(a: i32) -> i32 {\n    |\n}\n", BODY_TOKENS),
    ],
)  # fmt: skip
def test_what_the_syntax_tells(language: str, source: str, expected: int, action: Action) -> None:
    assignment = classify(action, context_at(language, source), Targets())
    assert assignment.limits.expected_tokens == expected
    assert expected <= assignment.limits.max_tokens


def test_a_completion_tells_its_expected_length() -> None:
    context = context_at("python", "for a in b:|\n")
    assignment = classify(Action.AUTOMATIC_COMPLETION, context, Targets())
    call = completion_call(
        assignment,
        Window("for a in b:", "\n"),
        (),
        MODEL,
        CLIENT_IDS,
        RequestOptions(budget_ms=200),
    )
    assert call.headers[headers.OUTPUT_TOKENS] == str(OPENED_BLOCK_TOKENS)


@pytest.mark.parametrize(
    ("source", "target", "tokens"),
    [
        ("python", "java", 183),
        ("java", "python", 65),
        ("python", "rust", 284),
        ("rust", "cpp", 73),
        ("go", "go", 108),
        ("python", "haskell", 158),
        ("haskell", "ocaml", 108),
    ],
)
def test_a_translation_is_as_long_as_its_languages_are_verbose(
    source: str, target: str, tokens: int
) -> None:
    assert translated_tokens(400, 4.0, source, target) == tokens


def test_estimates_follow_the_source_and_its_characters_per_token() -> None:
    assert translated_tokens(800, 4.0, "go", "go") == 208
    assert translated_tokens(400, 2.0, "go", "go") == 208
    assert translated_tokens(10**6, 3.0, "python", "rust") == 2048
    assert summary_tokens(400, 4.0) == 45
    assert summary_tokens(4000, 4.0) == 90
    assert summary_tokens(10**6, 4.0) == 160


@pytest.mark.parametrize("chars", [0, 1])
def test_there_is_always_something_to_expect(chars: int) -> None:
    assert translated_tokens(chars, 3.0, "python", "go") >= 1
    assert summary_tokens(chars, 3.0) >= 1


def job(kind: TaskKind, target_language: str | None = None) -> Job:
    unit = Unit("area", "function", SOURCE[:400], 0, 400)
    return Job(
        kind=kind,
        selection=Selection((unit,), "area"),
        snapshot=open_document("file:///a.py", "python", 1, SOURCE).snapshot(),
        target_language=target_language,
        request_id="id",
        asked_at_s=time.perf_counter(),
    )


def told(job: Job, targets: Targets | None = None) -> tuple[int, int]:
    """Expected tokens and budget in milliseconds, as the backend is told them."""
    call = call_for(job, CLIENT_IDS, targets or Targets(), MODEL, round_trip_ms=0.0)
    return int(call.headers[headers.OUTPUT_TOKENS]), int(call.headers[headers.SLO_E2E_MS])


def test_a_translation_is_due_when_its_length_allows() -> None:
    """min(15 s, 2 s + 30 ms a token), less the moment since it was asked for."""
    tokens, budget_ms = told(job(TaskKind.TRANSLATION, "java"))
    assert tokens == 183
    assert 2000 + 30 * tokens - 500 < budget_ms <= 2000 + 30 * tokens
    _, longest_ms = told(job(TaskKind.TRANSLATION, "java"), Targets(translation_e2e_ms=4000))
    assert 3500 < longest_ms <= 4000
    assert Targets().translation_ms(10_000) == 15_000


def test_a_summary_keeps_its_target_and_tells_its_length() -> None:
    tokens, budget_ms = told(job(TaskKind.SUMMARIZATION))
    assert tokens == 45
    assert 2500 < budget_ms <= 3000

"""Which model of a listing is asked for, and what is believed of it."""

from __future__ import annotations

import math

import pytest

from cato_backend.wire.estimates import parameters_named
from cato_lsp.backend.models import Model, advice, choose, described, size_of

PLAIN = {"id": "org/model", "object": "model"}
SAID = {
    "tasks": ["completion", "translation"],
    "max_prompt_tokens": 1000,
    "chars_per_token": 3.5,
    "fim_order": "psm",
}


def check(listing: object, expected: Model | None) -> None:
    """Chooses from a listing."""
    assert choose(listing) == expected


def test_the_alias_comes_before_what_is_listed_first() -> None:
    described = Model(
        "cato",
        frozenset({"completion", "translation"}),
        max_prompt_tokens=1000,
        chars_per_token=3.5,
        fills_in_the_middle=True,
        cancels=True,
    )
    check({"data": [PLAIN, {"id": "cato", "cato": SAID}]}, described)
    assert described.prompt_characters == 3500


def test_a_plain_server_gets_prefixes_and_is_cancelled_by_closing() -> None:
    check({"data": [PLAIN]}, Model("org/model"))


@pytest.mark.parametrize("order", [None, "", False])
def test_a_model_without_an_order_sees_no_suffix(order: object) -> None:
    chosen = choose({"data": [{"id": "cato", "cato": {**SAID, "fim_order": order}}]})
    assert chosen is not None
    assert not chosen.fills_in_the_middle


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"max_prompt_tokens": "many", "chars_per_token": -1, "tasks": "all"},
        {"max_prompt_tokens": math.inf, "parameters": math.inf, "chars_per_token": math.nan},
        {"targets": {"agent": {"e2e_ms": 10**400, "times": 2}, "translation": {"times": 1e9}}},
    ],
)
def test_what_makes_no_sense_is_replaced_by_defaults(said: dict[str, object]) -> None:
    check({"data": [{"id": "cato", "cato": said}]}, Model("cato", cancels=True))


@pytest.mark.parametrize(
    "listing", [None, [], {}, {"data": 7}, {"data": [7]}, {"data": [{"id": 7}]}]
)
def test_no_listing_is_no_model(listing: object) -> None:
    check(listing, None)


@pytest.mark.parametrize(
    ("name", "parameters", "size"),
    [
        ("Qwen/Qwen2.5-Coder-7B-Instruct", 7_000_000_000, "7B"),
        ("qwen2.5-coder:1.5b", 1_500_000_000, "1.5B"),
        ("mistralai/Mixtral-8x7B-v0.1", 56_000_000_000, "56B"),
        ("SmolLM2-135M", 135_000_000, "135M"),
        ("starcoder2-999.9m", 999_900_000, "1B"),
        ("gpt-4", None, ""),
        ("model-v2b3", None, ""),
    ],
)
def test_a_model_s_size_is_read_from_its_name(name: str, parameters: int | None, size: str) -> None:
    assert parameters_named(name) == parameters
    assert size_of(parameters) == size
    found = choose({"data": [{"id": name}]})
    assert found is not None
    assert found.parameters == parameters


def test_an_alias_is_described_by_its_model() -> None:
    said = {**SAID, "parameters": 5_046_272}
    found = choose({"data": [{"id": "cato", "root": "cato-embedded", "cato": said}]})
    assert found is not None
    assert described(found.title, found.parameters) == "cato-embedded, 5M parameters"
    assert "serve a larger code model" in advice(found)
    large = choose({"data": [{"id": "cato", "root": "Qwen2.5-Coder-7B", "cato": SAID}]})
    assert large is not None
    assert advice(large) == ""


def test_the_hardware_s_need_is_told_by_class() -> None:
    targets = {
        "summarization": {"e2e_ms": 6000, "times": 2.0},
        "completion": {"ttft_ms": 250, "times": 1.0},
        "generation": {"ttft_ms": 250, "times": 0.2},
        "translation": {"times": "a lot"},
        "agent": None,
    }
    model = choose({"data": [{"id": "cato", "cato": {"targets": targets}}]})
    assert model is not None
    assert model.needed_ms == {"summarization": 6000}


@pytest.mark.parametrize("targets", [None, [], "longer", 3])
def test_targets_that_make_no_sense_are_those_of_the_settings(targets: object) -> None:
    model = choose({"data": [{"id": "cato", "cato": {"targets": targets}}]})
    assert model is not None
    assert not model.needed_ms

"""Which model of a listing is asked for, and what is believed of it."""

from __future__ import annotations

import pytest

from cato_lsp.backend.models import Model, choose

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
    "said", [{}, {"max_prompt_tokens": "many", "chars_per_token": -1, "tasks": "all"}]
)
def test_what_makes_no_sense_is_replaced_by_defaults(said: dict[str, object]) -> None:
    check({"data": [{"id": "cato", "cato": said}]}, Model("cato", cancels=True))


@pytest.mark.parametrize(
    "listing", [None, [], {}, {"data": 7}, {"data": [7]}, {"data": [{"id": 7}]}]
)
def test_no_listing_is_no_model(listing: object) -> None:
    check(listing, None)

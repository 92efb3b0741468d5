"""What is taken from `/v1/models`, and what is not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cato_backend.errors import ReplicaUnavailable
from cato_backend.replicas.served_models import ServedModel, choose, read_listing


def listing(*entries: object) -> bytes:
    return json.dumps({"object": "list", "data": entries}).encode()


def model(name: object, **fields: Any) -> dict[str, Any]:
    return {"id": name, "root": "/models/base", "parent": None, "max_model_len": 4096, **fields}


def adapter(name: str, parent: str = "base") -> dict[str, Any]:
    return {"id": name, "root": f"/adapters/{name}", "parent": parent, "max_model_len": None}


def served(data: bytes, wanted: str = "") -> ServedModel:
    return choose(read_listing(data), wanted)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"null", "lists no model"),
        (b'{"object": "list", "data": null}', "lists no model"),
        (b'{"object": "list"}', "lists no model"),
        (b"{}", "lists no model"),
        (b"[]", "lists no model"),
        (listing(), "lists no model"),
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b"7", "a JSON int"),
        (b'"base"', "a JSON str"),
        (b'{"data": "base"}', "a JSON str"),
        (b'{"data": {"id": "base"}}', "a JSON dict"),
        (listing(None), "without a model"),
        (listing("base"), "without a model"),
        (listing({}), "without a model"),
        (listing(*map(model, (None, 7, 1.5, True, "", [], {}))), "without a model"),
    ],
)
def test_what_is_no_list_of_models_is_named(data: bytes, reason: str) -> None:
    with pytest.raises(ReplicaUnavailable) as caught:
        served(data)
    assert reason in caught.value.reason
    assert not caught.value.is_certain, "it may be whole at the next look"


@pytest.mark.parametrize(
    "strange",
    [None, "x", 7, {}, [], model(7), model(None), model(""),
     model(" "), model("a\nb"), model("\x1b[31mred"), model("a\0"), model("x" * 501)],
)  # fmt: skip
def test_what_is_no_entry_is_passed_over(strange: object) -> None:
    assert served(listing(strange, model("base"))) == ServedModel("base", 4096, root="/models/base")


@pytest.mark.parametrize("length", [None, "4096", True, 0, -1, 1.5, [], {}])
def test_a_context_that_cannot_be_is_not_known(length: object) -> None:
    assert served(listing(model("base", max_model_len=length))).max_model_len is None


def test_a_bare_list_is_one_too() -> None:
    assert served(json.dumps([model("base")]).encode()).name == "base"


def test_the_first_model_is_taken_unless_one_is_wanted() -> None:
    data = listing(model("a", root="a"), model("b", root="b"))
    assert served(data).name == "a"
    assert served(data, "b").name == "b"
    with pytest.raises(ReplicaUnavailable, match=r"it serves 'a', 'b', not 'c'") as caught:
        served(data, "c")
    assert caught.value.is_certain


def test_adapters_and_other_names_of_the_model_are_served_with_it() -> None:
    data = listing(adapter("sql"), model("base"), model("alias"), adapter("rust", "alias"))
    assert served(data) == ServedModel("base", 4096, ("sql", "alias", "rust"), "/models/base")
    assert served(data, "alias") == ServedModel(
        "alias", 4096, ("sql", "base", "rust"), "/models/base"
    )


def test_adapters_may_name_their_parent_as_the_command_line_did() -> None:
    assert served(listing(model("base"), adapter("sql", "Org/Base-7B"))).adapters == ("sql",)


def test_an_adapter_that_is_wanted_has_the_context_of_its_parent() -> None:
    data = listing(model("base"), adapter("sql"), adapter("rust"))
    assert served(data, "sql") == ServedModel("sql", 4096, root="/adapters/sql")


def test_models_of_their_own_are_not_served_with_another() -> None:
    data = listing(model("a", root="a"), model("b", root="b"), adapter("of-a", "a"),
                   adapter("of-b", "b"), {"id": "c"})  # fmt: skip
    assert served(data).adapters == ("of-a",)
    assert served(data, "c").adapters == ()

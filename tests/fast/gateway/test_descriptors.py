"""The limit of file descriptors, and how many clients fit into it."""

from __future__ import annotations

import resource
from typing import Any

import pytest

from cato_backend.gateway.acceptor import Descriptors, raise_limit


@pytest.mark.parametrize(
    ("limits", "expected", "set_to"),
    [
        ((1024, 4096), Descriptors(1024, 4096), (4096, 4096)),
        ((4096, 4096), Descriptors(4096, 4096), None),
        ((1024, -1), Descriptors(1024, 1_048_576), (1_048_576, -1)),
        ((-1, -1), Descriptors(1_048_576, 1_048_576), None),
    ],
)
def test_the_soft_limit_is_raised_to_the_hard_one(
    monkeypatch: pytest.MonkeyPatch,
    limits: tuple[int, int],
    expected: Descriptors,
    set_to: tuple[int, int] | None,
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _, given: told.append(given))
    assert raise_limit() == expected
    assert told == ([] if set_to is None else [set_to])


def test_a_limit_that_cannot_be_raised_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert raise_limit() == Descriptors(1024, 1024)


@pytest.mark.parametrize(("limit", "clients"), [(1_048_576, 4096), (1024, 320), (200, 45), (20, 4)])
def test_as_many_clients_as_fit(limit: int, clients: int) -> None:
    assert Descriptors(limit, limit).clients(4096) == clients

"""Relegated requests that were looked at in vain, and what lets them be looked at again."""

from __future__ import annotations

import pytest

from cato_backend.profile_files.law import StepLaw
from cato_backend.profile_files.profile import Profile
from cato_backend.scheduling.limits import LongPromptLimits
from cato_backend.scheduling.policies.cato.book import Book
from cato_backend.scheduling.policies.cato.hopeless import LONGEST_S, Hopeless
from cato_backend.scheduling.replica import ReplicaLoad

NOW = 2.0
PROFILE = Profile("m", "emulated", StepLaw("additive", base=0.02, per_new_token=0.0001))


@pytest.fixture
def books() -> tuple[Book, Book]:
    """The replica that request `r` would take, and another that it looked at."""
    best, other = (Book(ReplicaLoad(n, "m", 8, PROFILE), LongPromptLimits()) for n in "ab")
    best.free_at = other.free_at = 5.0
    return best, other


@pytest.fixture
def hopeless(books: tuple[Book, Book]) -> Hopeless:
    found = Hopeless()
    found.add("r")
    found.park("r", books[0], books, NOW)
    return found


def test_nobody_is_woken_without_a_reason(hopeless: Hopeless, books: tuple[Book, Book]) -> None:
    for book in books:
        hopeless.freed(book, idle=False)
    assert not list(hopeless.take_woken(NOW))
    assert "r" in hopeless


@pytest.mark.parametrize("which", [0, 1])
def test_any_replica_that_becomes_idle_wakes_who_looked_at_it_once(
    hopeless: Hopeless, books: tuple[Book, Book], which: int
) -> None:
    hopeless.freed(books[which], idle=True)
    assert list(hopeless.take_woken(NOW)) == ["r"]
    hopeless.park("r", books[0], books, NOW)
    hopeless.freed(books[which], idle=True)
    assert not list(hopeless.take_woken(NOW))
    hopeless.loaded(books[which])
    hopeless.freed(books[which], idle=True)
    assert list(hopeless.take_woken(NOW)) == ["r"]


def test_the_best_replica_wakes_it_by_being_free_sooner(
    hopeless: Hopeless, books: tuple[Book, Book]
) -> None:
    best, other = books
    other.free_at = 3.0
    hopeless.freed(other, idle=False)
    assert not list(hopeless.take_woken(NOW))
    best.free_at = 4.0
    hopeless.freed(best, idle=False)
    assert list(hopeless.take_woken(NOW)) == ["r"]


def test_nobody_sleeps_for_ever(hopeless: Hopeless, books: tuple[Book, Book]) -> None:
    hopeless.add("s")
    until = hopeless.park("s", books[1], books, NOW + LONGEST_S)
    assert NOW + LONGEST_S < until <= NOW + 2 * LONGEST_S
    assert list(hopeless.take_woken(NOW + LONGEST_S)) == ["r"]
    assert not list(hopeless.take_woken(NOW + LONGEST_S))
    assert list(hopeless.take_woken(until)) == ["s"]


def test_another_fleet_wakes_everybody(hopeless: Hopeless) -> None:
    hopeless.wake_all()
    assert list(hopeless.take_woken(NOW)) == ["r"]
    assert not list(hopeless.take_woken(NOW))


def test_who_has_left_is_not_woken(hopeless: Hopeless, books: tuple[Book, Book]) -> None:
    hopeless.discard("r")
    hopeless.discard("r")
    hopeless.freed(books[0], idle=True)
    assert not list(hopeless.take_woken(NOW))
    assert not len(hopeless)

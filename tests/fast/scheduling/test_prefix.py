"""Which replica holds which prefix."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cato_backend.scheduling.prefix import PrefixIndex

PROMPTS = st.lists(st.integers(0, 2), min_size=1, max_size=6).map(
    lambda path: tuple(hash(tuple(path[: n + 1])) for n in range(len(path)))
)
"""Chained hashes: equal ones mean equal prefixes."""


def test_the_longest_prefix_of_each_holder_is_found() -> None:
    index = PrefixIndex()
    for name in "abc":
        index.add_replica(name, 100)
    index.record("a", (1, 2, 3))
    index.record("b", (1, 2, 9))
    assert index.holders((1, 2, 3, 4)) == {"a": 3, "b": 2}
    assert index.matched("a", (1, 2, 3, 4)) == 3
    assert index.holders((7,)) == {}
    assert index.holders(()) == {}


def test_the_least_recently_used_leaves_first_and_tails_before_heads() -> None:
    index = PrefixIndex()
    index.add_replica("a", 4)
    index.record("a", (1, 2))
    index.record("a", (5, 6))
    index.record("a", (1, 2))
    index.record("a", (8,))
    assert index.matched("a", (1, 2)) == 2
    assert index.matched("a", (5, 6)) == 1


def test_a_replica_that_holds_less_than_its_size_says_is_believed_to_be_smaller() -> None:
    index = PrefixIndex()
    index.add_replica("a", 100)
    index.record("a", tuple(range(100)))
    for _ in range(10):
        index.observe("a", expected=1000, found=0)
    assert index.matched("a", tuple(range(100))) < 70
    for _ in range(100):
        index.observe("a", expected=1000, found=1000)
    index.record("a", tuple(range(100)))
    assert index.matched("a", tuple(range(100))) == 100


def test_a_replica_that_went_holds_nothing() -> None:
    index = PrefixIndex()
    index.add_replica("a", 10)
    index.record("a", (1, 2))
    index.remove_replica("a")
    assert index.holders((1, 2)) == {}


@given(st.lists(st.tuples(st.sampled_from("abc"), PROMPTS), max_size=40), PROMPTS)
def test_both_ways_of_asking_agree(
    recorded: list[tuple[str, tuple[int, ...]]], asked: tuple[int, ...]
) -> None:
    index = PrefixIndex()
    for name in "abc":
        index.add_replica(name, 7)
    for name, blocks in recorded:
        index.record(name, blocks)
    matched = {name: index.matched(name, asked) for name in "abc"}
    assert index.holders(asked) == {name: n for name, n in matched.items() if n}

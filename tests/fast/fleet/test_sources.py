"""What is said of sources: each trouble once, and once that it has ended."""

from __future__ import annotations

import pytest

from cato_backend.fleet.states import Sources


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def sources(said: list[str]) -> Sources:
    times = iter(range(100))
    found = Sources(lambda: next(times), lambda name, text: said.append(f"{name}: {text}"))
    found.expect("ray")
    return found


def test_each_trouble_is_said_once_and_its_end_once(sources: Sources, said: list[str]) -> None:
    sources.set("ray", "", "")
    for trouble in ("the head is away", "nothing listens there") * 3:
        sources.set("ray", trouble, "bring it back")
    sources.set("ray", "", "")
    sources.set("ray", "", "")
    assert said == [
        "ray: the head is away; bring it back",
        "ray: nothing listens there; bring it back",
        "ray: it answers",
    ]
    sources.set("ray", "the head is away", "bring it back")
    assert said[3:] == ["ray: the head is away; bring it back"]


def test_a_text_that_changes_each_time_does_not_fill_the_log(
    sources: Sources, said: list[str]
) -> None:
    for number in range(100):
        sources.set("ray", f"{number} nodes are away", "bring them back")
    assert len(said) == 16


def test_the_newest_trouble_is_shown_since_the_first(sources: Sources) -> None:
    sources.set("ray", "the head is away", "bring it back")
    (first,) = sources.all()
    sources.set("ray", "nothing listens there", "bring it back")
    (second,) = sources.all()
    assert (second.trouble, second.since) == ("nothing listens there", first.since)

"""The text of several units is joined while it comes as the result will be."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from cato_backend.wire.tasks import TaskKind, heading
from cato_lsp.backend.task_answers import TaskProgress
from cato_lsp.syntax.units import Unit
from cato_lsp.tasks.running import JoinedText

UNITS = tuple(Unit(name, "code", "", 0, 0) for name in ("f", "", "g"))


class Heard:
    """What a listener knows."""

    def __init__(self) -> None:
        self.text = ""
        self.progress: list[str] = []

    def report(self, progress: TaskProgress) -> None:
        self.progress.append(progress.state)

    def delta(self, text: str) -> None:
        self.text += text

    def restart(self, text: str) -> None:
        self.text = text


def heard(
    kind: TaskKind, pieces: Sequence[tuple[str, int | None]], units: Sequence[Unit] = UNITS
) -> tuple[JoinedText, Heard]:
    listener = Heard()
    joined = JoinedText(kind, units, listener)
    for text, unit in pieces:
        joined.delta(text, unit)
    return joined, listener


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (TaskKind.SUMMARIZATION, "**f**: Adds two.\n\n**code**: Calls.\n\nAll."),
        (TaskKind.DOCUMENTATION, "**f**\n\nAdds two.\n\n**code**\n\nCalls.\n\nAll."),
        (TaskKind.EXPLANATION, "## f\n\nAdds two.\n\n## code\n\nCalls.\n\nAll."),
        (TaskKind.TRANSLATION, "Adds two.\n\nCalls.\n\nAll."),
    ],
)
def test_units_stand_under_their_names(kind: TaskKind, text: str) -> None:
    pieces = [("Adds ", 0), ("two.", 0), ("Calls.", 1), ("All.", None)]
    assert heard(kind, pieces)[1].text == text


def test_one_unit_is_what_it_says() -> None:
    pieces = [("Adds ", 0), ("two.", 0)]
    assert heard(TaskKind.SUMMARIZATION, pieces, UNITS[:1])[1].text == "Adds two."


def test_a_unit_that_begins_again_leaves_those_before_it() -> None:
    pieces = [("Adds ", 0), ("two.", 0), ("Non", 1), ("sense", 1)]
    joined, listener = heard(TaskKind.SUMMARIZATION, pieces)
    joined.restart("Adds two.")
    assert listener.text == "**f**: Adds two."
    joined.delta("Calls.", 1)
    assert listener.text == "**f**: Adds two.\n\n**code**: Calls."
    joined.restart("")
    assert listener.text == ""


def test_what_is_told_in_place_of_the_pieces_is_taken_as_it_is() -> None:
    joined, listener = heard(TaskKind.TRANSLATION, [("one", 0)])
    joined.restart("another")
    joined.delta("two", 1)
    assert listener.text == "another\n\ntwo"


def test_an_index_of_no_unit_has_no_name() -> None:
    assert heard(TaskKind.SUMMARIZATION, [("a", 0), ("b", 7)])[1].text == "**f**: a\n\nb"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("load_file", "load_file"),
        ("größe", "größe"),
        ("", "function"),
        ("__init__", "`__init__`"),
        ("Box<T>", "`Box<T>`"),
        ("a.b", "`a.b`"),
    ],
)
def test_a_name_that_markdown_would_change_is_set_as_code(name: str, shown: str) -> None:
    assert heading(name, "function") == shown

"""Which plain completion continues which."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cato_backend.gateway import continuations
from cato_backend.gateway.continuations import (
    MOST_TYPED,
    Continuations,
    Keystroke,
    TypingClient,
    continues,
)
from cato_backend.tasks.cursor import CursorText, cursor_text

ALICE = TypingClient("alice", "", "127.0.0.1", "cato")
FILE = '"""Reads readings of sensors."""\n\nimport json\n\n\ndef load(path):\n    return '
AFTER = '\n\n\nif __name__ == "__main__":\n    load("readings.json")\n'
LINES = "".join(
    f"value_{number} = compute(number={number}, scale={number % 7})\n" for number in range(900)
)


def text(prefix: str, suffix: str = AFTER) -> CursorText:
    return CursorText(prefix, suffix)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (FILE, FILE + "j"),
        (FILE, FILE + "json.loads("),
        (FILE, FILE + "x" * MOST_TYPED),
        (FILE, FILE + "\n"),
        (FILE + "[", FILE + "[]:\n        "),
        (FILE + "jsno", FILE + "jsn"),
        (FILE + "json.load", FILE),
        (FILE + "\n    ", FILE),
        (LINES, LINES + "v"),
        # A window of so many characters or lines before the cursor moves along with it.
        (LINES[-12_000:], (LINES + "val")[-12_000:]),
        ((LINES + "val")[-12_000:], LINES[-12_000:]),
        (LINES[-512:], (LINES + "v")[-512:]),
        ("\n".join(LINES.split("\n")[-40:]), "\n".join((LINES + ")\n").split("\n")[-40:])),
    ],
)
def test_a_text_continues_another(older: str, newer: str) -> None:
    assert continues(text(older), text(newer))
    assert continues(text(older, ""), text(newer, ""))


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (text(FILE), text(FILE)),
        (text(FILE), text(FILE + "x" * (MOST_TYPED + 1))),
        (text(FILE), text(FILE + "json.loads(path)\n    ")),
        (text(FILE + "a"), text(FILE + "b")),
        (text(FILE), text(FILE.replace("json", "yaml") + "x")),
        (text(FILE), text(FILE + "x", AFTER + "# more\n")),
        (text(FILE), text(FILE + "x", "")),
        (text(FILE, ""), text(FILE + "x")),
        (text("", ""), text("a", "")),
        (text("import ", ""), text("import o", "")),
        (text("#!/bin", ""), text("#!/bin/sh", "")),
        (text(LINES[-4000:]), text(LINES[-4000:-80])),
    ],
)
def test_a_text_does_not_continue_another(older: CursorText, newer: CursorText) -> None:
    assert not continues(older, newer)


def test_a_suffix_that_a_window_cut_is_the_same() -> None:
    assert continues(text(FILE, LINES[:800]), text(FILE + "x", LINES[:799]))
    assert not continues(text(FILE, LINES[:800]), text(FILE + "x", LINES[:100]))


class Typing:
    """A typist's requests, live until they are ended."""

    def __init__(self, index: Continuations, typist: TypingClient = ALICE) -> None:
        self._index = index
        self._typist = typist

    def asks(self, prefix: str, suffix: str = AFTER) -> Keystroke:
        return self._index.begin(self._typist, text(prefix, suffix))


def test_each_key_replaces_the_one_before() -> None:
    index = Continuations()
    typing = Typing(index)
    strokes = [typing.asks(FILE + "json.loads"[:length]) for length in range(6)]
    assert [stroke.supersedes for stroke in strokes] == [False] + [True] * 5
    assert len({stroke.document for stroke in strokes}) == 1
    for stroke in strokes:
        index.end(stroke)
    assert len(index) == 0


def test_what_is_over_is_not_replaced() -> None:
    index = Continuations()
    typing = Typing(index)
    first = typing.asks(FILE)
    index.end(first)
    second = typing.asks(FILE + "j")
    assert not second.supersedes
    assert second.document != first.document


def test_equal_prompts_never_replace_each_other() -> None:
    """An editor that asks for three candidates, a harness that samples."""
    index = Continuations()
    typing = Typing(index)
    first = [typing.asks(FILE) for _ in range(3)]
    assert not any(stroke.supersedes for stroke in first)
    then = [typing.asks(FILE + "j") for _ in range(3)]
    assert [stroke.supersedes for stroke in then] == [True, False, False]
    for stroke in (*first, then[0], then[1]):
        index.end(stroke)
    assert typing.asks(FILE + "js").supersedes, "the third one is still live"


@pytest.mark.parametrize(
    "other",
    [
        replace(ALICE, tenant="bob"),
        replace(ALICE, session="s"),
        replace(ALICE, source="10.0.0.7"),
        replace(ALICE, model="cato-embedded"),
    ],
)
def test_other_clients_do_not_replace_a_request(other: TypingClient) -> None:
    index = Continuations()
    Typing(index).asks(FILE)
    assert not Typing(index, other).asks(FILE + "j").supersedes


def test_two_people_behind_one_token_type_two_files() -> None:
    """Files of one project: they begin alike, and grow side by side."""
    index, chance = Continuations(), Random(1)
    typing = Typing(index)
    heads = [
        '"""One."""\n\nimport json\n\n\ndef one(path):\n',
        '"""Two."""\n\nimport json\n\n\ndef one(path):\n',
    ]
    typed, documents = ["    return ", "    return "], [set[str](), set[str]()]
    for _ in range(60):
        who = chance.randrange(2)
        typed[who] += chance.choice("abc(). ")
        documents[who].add(typing.asks(heads[who] + typed[who], "\n").document)
    assert [len(found) for found in documents] == [1, 1]
    assert documents[0].isdisjoint(documents[1])


def test_a_program_that_asks_for_line_after_line_replaces_nothing() -> None:
    index = Continuations()
    typing = Typing(index)
    ends = [at + 1 for at, character in enumerate(LINES[:6000]) if character == "\n"]
    for suffix in (AFTER, ""):
        assert not any(typing.asks(LINES[:end], suffix).supersedes for end in ends)


def test_a_next_edit_is_followed_within_its_region() -> None:
    """The history in front of it changes with each key."""
    form = (
        "{}\n<|editable_region_start|>\n"
        + FILE
        + "{}<|user_cursor_is_here|>\n<|editable_region_end|>\n"
    )
    index = Continuations()
    for typed, supersedes in (("j", False), ("js", True), ("j", True)):
        cursor = cursor_text(form.format(f"### User Edits:\n+    return {typed}", typed))
        assert cursor is not None
        assert index.begin(ALICE, cursor).supersedes is supersedes


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(continuations, "_MOST_LINES", 50)
    index = Continuations()
    typing = Typing(index)
    strokes = [typing.asks(f"{LINES}name_{number} = ") for number in range(200)]
    assert len(index) == 50
    assert not typing.asks(f"{LINES}name_0 = 1").supersedes
    assert typing.asks(f"{LINES}name_199 = 1").supersedes
    kept = next(iter(index._lines.values())).text
    assert len(kept.prefix) + len(kept.suffix) < 6_000 < len(LINES)
    for stroke in strokes:
        index.end(stroke)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.booleans()), max_size=60))
def test_nothing_is_left_when_all_is_over(keys: list[tuple[int, int, bool]]) -> None:
    """Any number of files typed in any order, ended in any order: the index ends empty."""
    index, live = Continuations(), list[Keystroke]()
    for file, typed, ends in keys:
        live.append(index.begin(ALICE, text(f"{FILE}{file}\n{'abcdef'[:typed]}")))
        if ends:
            index.end(live.pop(0))
    for stroke in live:
        index.end(stroke)
    assert len(index) == 0
    assert not index._by_anchor

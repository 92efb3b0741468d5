"""Positions in all encodings, at and past every edge."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cato_lsp.syntax import open_document
from cato_lsp.text import Change, Encoding, Position, Range, Snapshot
from cato_lsp.text.lines import LineIndex
from tests.fast.lsp.document_model import lines_of, offset_of

TEXTS = st.lists(
    st.sampled_from(["a", "é", "漢", "😀", "\t", " ", "\n", "\r\n", "\r", "\u2028", "xyz", "\0"])
).map("".join)


def snapshot_of(text: str) -> Snapshot:
    return open_document("file:///a", "plaintext", 1, text).snapshot()


@pytest.mark.parametrize(
    ("text", "line", "character", "encoding", "offset"),
    [
        ("a😀b", 0, 3, "utf-16", 2),
        ("a😀b", 0, 2, "utf-16", 1),
        ("a😀b", 0, 5, "utf-8", 2),
        ("a😀b", 0, 3, "utf-8", 1),
        ("a😀b", 0, 2, "utf-32", 2),
        ("ab\r\ncd", 0, 99, "utf-16", 2),
        ("ab\r\ncd", 1, 99, "utf-16", 6),
        ("ab\rcd\n", 1, 1, "utf-16", 4),
        ("ab\n", 1, 0, "utf-16", 3),
        ("ab\n", 2, 0, "utf-16", 3),
        ("ab", 7, 7, "utf-16", 2),
        ("", 0, 0, "utf-16", 0),
        ("", 3, 3, "utf-8", 0),
        ("é\n", 0, 1, "utf-8", 0),
        ("é\n", 0, 4294967295, "utf-8", 1),
        ("ab", -1, 1, "utf-16", 0),
        ("ab", 0, -1, "utf-16", 0),
    ],
)
def test_offset_of_a_position(
    text: str, line: int, character: int, encoding: str, offset: int
) -> None:
    assert snapshot_of(text).offset(Position(line, character), Encoding(encoding)) == offset


@given(TEXTS, st.integers(0, 30), st.integers(0, 30), st.sampled_from(Encoding))
def test_offset_agrees_with_the_model(
    text: str, line: int, character: int, encoding: Encoding
) -> None:
    place = Position(line, character)
    assert snapshot_of(text).offset(place, encoding) == offset_of(text, place, encoding)


@given(TEXTS, st.sampled_from(Encoding))
def test_every_offset_but_the_middle_of_crlf_survives_the_way_there_and_back(
    text: str, encoding: Encoding
) -> None:
    snapshot = snapshot_of(text)
    for offset in range(len(text) + 1):
        inside_crlf = text[max(offset - 1, 0) : offset + 1] == "\r\n"
        back = snapshot.offset(snapshot.position(offset, encoding), encoding)
        assert back == (offset - 1 if inside_crlf else offset)


@given(TEXTS)
def test_bytes_and_rows_agree_with_the_text(text: str) -> None:
    index = LineIndex.of(text)
    assert [text[index.start(n) : index.end(n, text)] for n in range(index.count)] == [
        line.rstrip("\r\n") for line in lines_of(text)
    ]
    for offset in range(len(text) + 1):
        head = text[:offset].encode()
        place = index.place(offset, text)
        assert place.byte == len(head) == index.byte_at(offset, text)
        assert place.row == index.line_at(offset)
        assert place.column == len(text[index.start(place.row) : offset].encode())
        assert index.offset_at(place.byte, text) == offset


def test_lone_surrogates_are_replaced_and_keep_their_width() -> None:
    document = open_document("file:///a", "python", 1, "x = 1\n")
    start = Position(0, 0)
    lone = Change("\ud83d\ude00\ud83d \ude00", Range(start, start))
    document.apply([lone], 2, Encoding.UTF16)
    snapshot = document.snapshot()
    assert snapshot.text == "😀\ufffd \ufffdx = 1\n"
    assert snapshot.offset(Position(0, 5), Encoding.UTF16) == 4


def test_a_reversed_range_is_taken_the_right_way_round() -> None:
    document = open_document("file:///a", "python", 1, "abcdef")
    document.apply([Change("", Range(Position(0, 4), Position(0, 2)))], 2, Encoding.UTF8)
    assert document.snapshot().text == "abef"


@pytest.mark.parametrize(
    ("language", "text", "reason"),
    [
        ("klingon", "x", "no grammar for language 'klingon'"),
        ("python", "x\0", "binary: it holds a NUL character"),
        ("python", "x" * 2_100_000, "2100000 characters, more than the 2097152 that are parsed"),
    ],
)
def test_what_is_not_parsed_says_why(language: str, text: str, reason: str) -> None:
    snapshot = open_document("file:///a", language, 1, text).snapshot()
    assert snapshot.tree is None
    assert snapshot.no_tree_reason == reason


def test_a_file_that_becomes_parsable_is_parsed() -> None:
    document = open_document("file:///a", "python", 1, "x = 1\0\n")
    document.apply([Change("", Range(Position(0, 5), Position(0, 6)))], 2, Encoding.UTF16)
    tree = document.snapshot().tree
    assert tree is not None
    assert str(tree.root_node) == (
        "(module (expression_statement (assignment left: (identifier) right: (integer))))"
    )

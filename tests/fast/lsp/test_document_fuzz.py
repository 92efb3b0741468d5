"""Thousands of random edits: the document against a plain string, its tree against a fresh parse.

`CATO_FUZZ_EDITS` and `CATO_FUZZ_SEED` make it longer or repeat a failure.
"""

from __future__ import annotations

import os
import random

import pytest
from tree_sitter import Node, Tree

from cato_lsp.syntax import open_document
from cato_lsp.syntax.parsing import settled
from cato_lsp.text import Change, Encoding, Position, Range, Snapshot, lines
from cato_lsp.text.lines import LineIndex
from tests.fast.lsp.document_model import Model, random_change, random_text, undone

EDITS = int(os.environ.get("CATO_FUZZ_EDITS", "10000"))
SEED = int(os.environ.get("CATO_FUZZ_SEED", "2"))
CASES = [
    (language, encoding)
    for language in ("python", "javascript", "c", "ruby", "plaintext")
    for encoding in Encoding
]


def outline(node: Node) -> list[tuple[str, int, int]]:
    """Every node as type and byte range, in order."""
    nodes, stack = [], [node]
    while stack:
        node = stack.pop()
        nodes.append((node.type, node.start_byte, node.end_byte))
        stack.extend(reversed(node.children))
    return nodes


def assert_in_sync(snapshot: Snapshot, text: str) -> None:
    assert snapshot.text == text
    fresh = LineIndex.of(text)
    assert snapshot.lines.count == fresh.count
    for line in range(fresh.count):
        assert snapshot.lines.start(line) == fresh.start(line)
        assert snapshot.lines.end(line, text) == fresh.end(line, text)


def assert_same_tree(tree: Tree, fresh: Tree) -> None:
    """With errors in it, a tree depends on the edits that led to it; without, it must not."""
    assert tree.root_node.end_byte == fresh.root_node.end_byte
    if not fresh.root_node.has_error:
        assert outline(tree.root_node) == outline(fresh.root_node)


@pytest.mark.parametrize(("language", "encoding"), CASES)
def test_random_edits_never_get_out_of_sync(
    language: str, encoding: Encoding, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Small blocks, so that small texts have many of them.
    monkeypatch.setattr(lines, "LINES_PER_BLOCK", 6)
    monkeypatch.setattr(lines, "SMALL", 2)
    chance = random.Random(f"{SEED} {language} {encoding}")
    model = Model(random_text(chance, 100), encoding)
    document = open_document("file:///a", language, 0, model.text)
    undo: Change | None = None
    for version in range(1, EDITS // len(CASES) + 1):
        changes, text = list[Change](), model.text
        for _ in range(chance.choice((1, 1, 1, 2, 5))):
            change = random_change(chance, model.text, encoding)
            if undo is not None and not changes and chance.random() < 0.1:
                change = undo
            changes.append(change)
            model.apply(changes[-1])
        undo = undone(text, model.text)
        before = document.snapshot()
        text_before = before.text
        document.apply(changes, version, encoding)
        snapshot = document.snapshot()
        assert snapshot.version == version
        assert before.text is text_before
        assert_in_sync(snapshot, model.text)
        if version % 20 == 0:
            # Settled: on a busy machine a key's own parse may have run out of time.
            tree = settled(snapshot).tree
            fresh = open_document("file:///b", language, 0, model.text).snapshot().tree
            assert (tree is None) == (fresh is None)
            if tree is not None and fresh is not None:
                assert_same_tree(tree, fresh)


@pytest.mark.parametrize("encoding", Encoding)
def test_edits_in_a_line_of_a_million_characters(encoding: Encoding) -> None:
    chance = random.Random(SEED)
    model = Model("x = [" + "'é😀', " * 140_000 + "]\n", encoding)
    document = open_document("file:///a", "plaintext", 0, model.text)
    for version in range(1, 4):
        here = Position(0, chance.randrange(400_000))
        there = Position(0, here.character + chance.randrange(9))
        change = Change(random_text(chance, 3), Range(here, there))
        model.apply(change)
        document.apply([change], version, encoding)
        assert document.snapshot().text == model.text

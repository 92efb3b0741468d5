"""What is shown is whole: no string is left open, no bracket, and nothing is said on and on.

`CATO_FUZZ_PLACES` and `CATO_FUZZ_SEED` try more places, or others.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.suggestion_ends import SUFFIXES
from cato_lsp.completion import Completeness
from cato_lsp.completion.fitting import without_repeats
from cato_lsp.decisions.classify import Action, Targets, classify
from cato_lsp.syntax import open_document, syntax_context
from cato_lsp.syntax.lexing import PARTNER, lex, lexicon_of
from cato_lsp.syntax.nearby import NEARBY
from tests.fast.lsp.marked import context_at

PLACES = int(os.environ.get("CATO_FUZZ_PLACES", "1000"))
SEED = int(os.environ.get("CATO_FUZZ_SEED", "2"))
FOLDER = Path(__file__).parents[2] / "data" / "sources"
LANGUAGES = {**SUFFIXES, ".tsx": "typescriptreact"}
SOURCES = sorted(path for path in FOLDER.iterdir() if path.suffix in LANGUAGES)
MOST_MISREAD = 0.01
"""Of the places: apostrophes between tags, and cursors within patterns, are read as code."""

# language, source, answer, what is shown
CASES = [
    # Strings.
    ("python", "x = |", '"hello wor', ""),
    ("python", "|", 'print("hello wor', "print"),
    ("python", "|", 'total = f"{a} and', "total"),
    ("python", "def f():|", '\n    """Adds the', ""),
    ("python", "def f():\n    |", 'a = 1\n    b = """\n    more', "a = 1"),
    ("python", 'def f():\n    |\n    more.\n    """\n', '"""Adds.\n', '"""Adds.'),
    ("python", "x = a[|]", '"key', ""),
    ("python", 'x = "a|', "b and", "b and"),
    ("python", 'x = "a|"', "b and", "b and"),
    ("python", 'x = "a| c"', 'b" + "d', 'b" + "d'),
    ("python", 'x = "a| c"', 'bit" + d', "bit"),
    ("python", 'f("a|', 'bit", "c', 'bit"'),
    ("python", 'def f():\n    """Adds |\n    """\n', 'one."""\n', "one."),
    ("javascript", "|", "const a = `one\ntwo", "const a"),
    ("javascript", "|", "say('it", "say"),
    ("typescriptreact", "a = (\n  <p>|</p>\n);\n", "Don't worry", "Don't worry"),
    ("c", "|", "/* adds the", ""),
    ("c", "f(|);", "item // one", "item"),
    ("c", "|", 'puts("a\nb();\n', "puts"),
    ("c", "|", 'puts("a\\\nb");\n', 'puts("a\\\nb");'),
    ("rust", "fn f<'a>(|", "x: &'a str)", "x: &'a str)"),
    ("ruby", "|", "puts 'it", "puts"),
    ("php", "<?php\n|", "$name = 'one", "$name"),
    ("json", "{\n  |\n}", '"name": "on', '"name"'),
    ("markdown", "|", 'He said "yes', 'He said "yes'),
    # Brackets.
    ("python", "|", "print(a, b", "print"),
    ("python", "x = |", "foo)", "foo"),
    ("python", "x = |", "[1, 2", ""),
    ("python", "foo(|)", "bar(b)", "bar(b)"),
    ("python", "foo(|)", "bar(b", "bar"),
    ("python", "foo(|))", "bar(b", "bar(b"),
    ("python", "foo(|)", "b)", "b"),
    ("python", 'print("a|', 'bit"))', 'bit")'),
    ("javascript", "|", "if (x) {", "if (x) {"),
    ("javascript", "|", "if (x) { // when", "if (x) { // when"),
    ("c", "|", "if (x) { /* when */", "if (x) { /* when */"),
    ("javascript", "|", "useEffect(() => {", "useEffect(() => {"),
    ("javascript", "|", "if (x) {\n  a(b,", "if (x) {"),
    ("javascript", "|", "a = b];", "a = b"),
    ("ruby", "|", "list.each { |a|", "list.each"),
    ("go", "package p\n\nfunc f() {\n\t|\n}\n", "a := []int{1,", "a := []int"),
    ("lua", "|", 'it("adds", function()', 'it("adds", function()'),
    ("lua", "|", "map(function(a, b)", "map(function(a, b)"),
    ("lua", "|", "map(functional(a)", "map"),
    ("swift", "|", "request.response { resp in", "request.response { resp in"),
    ("swift", "|", "list.forEach { (a, b) in", "list.forEach { (a, b) in"),
    ("swift", "|", "list.forEach { begin", "list.forEach"),
    # Strings of several lines, where the language has no lexicon of its own.
    ("toml", 'a = """\nb\n|\nc = "d"\n', '"""\nc = ', '"""'),
    ("swift", 'let a = """\n    b\n    |\nf()\n', '"""', '"""'),
    # What is no code: fences of chat models, special tokens, characters that nobody sees.
    ("python", "|", "```python\na = 1\n```\nb", "a = 1"),
    ("python", "|", "```python", ""),
    ("markdown", "|", "```python\na = 1\n```", "```python\na = 1\n```"),
    ("python", 'def f():\n    """Adds.\n\n    |\n    """\n', "```\n    a", "```"),
    ("python", "x = |", "1<|endoftext|>\nb", "1"),
    ("python", "x = |", "1<|endof", "1"),
    ("python", "x = |", "a<fim_middle>b", "a"),
    ("python", "x = |", "a<\uff5cfim\u2581end\uff5c>", "a"),
    ("python", 'eos = "<|a|>"\nx = |', '"<|b|>"', '"<|b|>"'),
    ("python", "foo(|)", "a, b<|im_end|>)", "a, b"),
    ("python", 'x = "a|"', 'bc<|endoftext|>"', "bc"),
    ("shellscript", "|", "cat <<EOT>out.txt\nhi\nEOT", "cat <<EOT>out.txt\nhi\nEOT"),
    ("typst", "|", "```python\na = 1\n```", "```python\na = 1\n```"),
    ("haskell", "p = |", "a <|> b", "a <|> b"),
    ("python", "x = |", "1\0", "1"),
    ("python", "x = |", "ab\u202e", "ab"),
    # Repeats.
    ("python", "x = |", "[100, 100, 100, 10", ""),
    ("python", "x = |", "[100, 100, 100, 100, 100]", ""),
    ("python", "x = |", "[1, 1, 1]", "[1, 1, 1]"),
]


def completeness(language: str, source: str, answer: str) -> Completeness:
    context = context_at(language, source)
    reader = Completeness(context, classify(Action.AUTOMATIC_COMPLETION, context, Targets()))
    reader.feed(answer)
    return reader


@pytest.mark.parametrize(("language", "source", "answer", "shown"), CASES)
def test_table(language: str, source: str, answer: str, shown: str) -> None:
    assert completeness(language, source, answer).text() == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("100, 100, 100", "100"),
        ("100, 100, 100, 1", "100"),
        ("a and b and a and b and a and b and a an", "a and b and"),
        ('"a", "a", "a", "', '"a'),
        ("f(255, 255, 255)", "f(255, 255, 255)"),
        ("f(0, 0, 0, 0, 0, 0)", "f(0"),
        ("f(b, b, b, b, b, NULL)", "f(b, b, b, b, b, NULL)"),
    ],
)
def test_what_says_the_same_again_ends_before_it(text: str, shown: str) -> None:
    assert without_repeats(text) == shown


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_no_answer_however_cut_off_leaves_anything_open(path: Path) -> None:
    """The answer is a piece of some file of the language, cut off anywhere."""
    language = LANGUAGES[path.suffix]
    chance = random.Random(f"{SEED} {path.name}")
    text = path.read_text()
    places = PLACES // len(SOURCES) + 1
    failed: list[tuple[str, ...]] = []
    for _ in range(places):
        offset = chance.randrange(len(text))
        end = text.find("\n", offset)
        after = chance.choice((text[end:], text[end:], text[offset:], ")" + text[end:], ""))
        said = chance.choice((offset, chance.randrange(len(text))))
        answer = text[said : said + chance.randrange(1, 200)]
        shown = shown_at(language, text[:offset], after, answer, chance)
        failed += (
            (what, text[max(offset - 60, 0) : offset], after[:60], shown)
            for what in left_open(language, text[:offset], shown, after)
        )
    assert len(failed) <= places * MOST_MISREAD, failed


def shown_at(language: str, before: str, after: str, answer: str, chance: random.Random) -> str:
    snapshot = open_document("file:///a", language, 1, before + after).snapshot()
    context = syntax_context(snapshot, len(before))
    action = chance.choice((Action.AUTOMATIC_COMPLETION, Action.INVOKED_COMPLETION))
    reader = Completeness(context, classify(action, context, Targets()))
    reader.feed(answer)
    return reader.text(truncated=chance.random() < 0.5)


def left_open(language: str, before: str, shown: str, after: str) -> Iterator[str]:
    """What the suggestion leaves open that was not open before, and that nothing closes."""
    lexicon = lexicon_of(language)
    at_cursor = lex(before, lexicon)
    if not shown or at_cursor.region is not None or at_cursor.line_comment:
        return
    line_after, _, _ = after.partition("\n")
    behind = lex(before + shown, lexicon)
    if behind.region is not None:
        closed = lex(line_after, lexicon, behind.region).region is None
        closed = closed or lex(after, lexicon, behind.region).region is None
        if not closed:
            yield "string"
    own = lex(before + shown, lexicon).opened[len(at_cursor.opened) :]
    spare = [PARTNER[stray.character] for stray in lex(after, lexicon, behind.region).strays]
    left = [bracket for bracket in own if bracket.character not in spare]
    if left and not shown.rstrip().endswith(("(", "[", "{")):
        yield f"bracket {left[0].character}"
    # A pattern of a shell's `case` ends with a bracket that nothing opens; of blocks that begin
    # beyond the nearby text only the indentation tells.
    told = language != "shellscript" and len(before) <= NEARBY
    if len(behind.strays) > len(at_cursor.strays) and told:
        yield "closer"

"""The rules that say at which line a completion ends."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from cato_lsp.completion.fitting import duplicates
from cato_lsp.syntax.context import Rest, SyntaxContext
from cato_lsp.syntax.lexing import SHELLS, has_lexicon
from cato_lsp.syntax.nearby import width_of

LONGEST_STATEMENT = 12
"""Lines of one statement that continues because its brackets are open."""

_OPENS_BLOCK = re.compile(r"(?:\)|=>|\belse|\btry|\bdo|\bfinally|\bunsafe|\bloop)[^={(\[]*\{\s*\Z")
_CONTINUES = re.compile(r"\\\s*\Z")
_CLOSER = re.compile(r"\s*[)\]}]")
_END_WORD = re.compile(r"\s*end\b")
_DEFINITION = re.compile(
    r"\s*(?:(?:export|default|public|private|protected|internal|static|abstract|final|async|pub"
    r"|unsafe|override|virtual|declare)(?:\([\w:]+\))?\s+)*"
    r"(?:def|class|function|func|fn|interface|struct|enum|trait|impl|module|namespace)\b"
)
_WORDS_END_BLOCKS = frozenset({"ruby", *SHELLS})
_PREAMBLE = re.compile(r"\s*(?:@|#\[|//|/\*|\*|#|$)")


class End(Enum):
    """Result of a rule for one line."""

    NOT_YET = auto()
    BEFORE = auto()
    """The completion ended before this line."""
    AFTER = auto()


@dataclass(frozen=True, slots=True)
class Line:
    """A line that streams in, and how the text stands around it."""

    text: str
    whole: bool
    """Whether its line end has come."""
    kept: Sequence[str]
    """The lines before it."""
    inside: bool
    """Whether it begins inside of a string, a comment or brackets of the completion itself."""
    leaves_open: bool
    """Whether the next line will."""
    may_close: bool
    """Whether a closer of the enclosing block is still missing."""


def statement_end(line: Line, context: SyntaxContext) -> End:
    """Say where one statement ends: a line, or further ones while brackets are open."""
    if not line.whole:
        return End.NOT_YET
    if _repeats_next(line, context):
        return End.BEFORE
    if len(line.kept) + 1 >= LONGEST_STATEMENT or context.in_string or context.in_comment:
        return End.AFTER
    goes_on = line.leaves_open and not _OPENS_BLOCK.search(line.text)
    return End.NOT_YET if goes_on or _CONTINUES.search(line.text) else End.AFTER


def block_end(line: Line, context: SyntaxContext) -> End:
    """Say where the rest of the enclosing block ends."""
    if line.inside:
        return End.NOT_YET
    if not line.text.strip():
        return _gap(line)
    if line.kept and width_of(line.text) < context.floor:
        return _dedented(line, context)
    if line.whole and _starts_another(line, context):
        return End.BEFORE
    return End.NOT_YET


def believed_end(line: Line, context: SyntaxContext) -> End:
    """Say where an answer ends that is shown as far as it is believed: before a repeat, or a gap.

    The end of the enclosing block is not an end, if brackets or indentation tell whether the
    document closes it.
    """
    if context.language_id in _WORDS_END_BLOCKS or not has_lexicon(context.language_id):
        return block_end(line, context)
    if line.inside:
        return End.NOT_YET
    if not line.text.strip():
        return _gap(line)
    repeats = _repeats_next(line, context) or _ends_as_below(line, context)
    return End.BEFORE if line.whole and repeats else End.NOT_YET


def _gap(line: Line) -> End:
    """Say whether a blank line ends an answer: the second in a row does."""
    second_in_a_row = len(line.kept) > 1 and _blank(line.kept[-1])
    return End.BEFORE if line.whole and second_in_a_row else End.NOT_YET


def _ends_as_below(line: Line, context: SyntaxContext) -> bool:
    """Return whether the line leaves the block with the words that the document leaves it with."""
    below = context.around.below
    if not (line.kept and below) or width_of(line.text) >= context.floor:
        return False
    return line.text.strip() == below[0].strip() and not _CLOSER.match(line.text)


def _dedented(line: Line, context: SyntaxContext) -> End:
    if _CLOSER.match(line.text):
        # Whether it is wanted is a matter of the brackets; in any case it is the last line.
        return End.AFTER if line.whole else End.NOT_YET
    if context.language_id == "ruby" and line.may_close:
        if not line.whole and "end".startswith(line.text.strip()):
            return End.NOT_YET
        return End.AFTER if _END_WORD.match(line.text) else End.BEFORE
    return End.BEFORE


def _starts_another(line: Line, context: SyntaxContext) -> bool:
    """Return whether the line begins something that was not requested.

    That is the next definition, or what comes next in the document anyway.
    """
    if _repeats_next(line, context):
        return True
    if width_of(line.text) > context.floor or all(_PREAMBLE.match(kept) for kept in line.kept):
        return False
    top_level = context.floor == 0 and _blank(line.kept[-1])
    return top_level or _DEFINITION.match(line.text) is not None


def _repeats_next(line: Line, context: SyntaxContext) -> bool:
    below = context.around.below
    if context.rest is not Rest.NOTHING or not below:
        return False
    text = line.text if line.kept else context.line_before + line.text
    # At another indentation the same words are something else: an early `return`, an outer `end`.
    if width_of(text) != width_of(below[0]) or not duplicates(text, below[0]):
        return False
    # Tables and unrolled loops repeat their lines.
    before = context.around.before.removesuffix(context.line_before)
    above = before.rstrip().rpartition("\n")[2]
    return below[0].strip() not in {above.strip(), *(line.strip() for line in below[1:2])}


def _blank(line: str) -> bool:
    return not line.strip()

"""Fits an answer into its document: corrects its indentation, and drops repeated text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from cato_lsp.syntax.context import SyntaxContext, opens_block
from cato_lsp.syntax.nearby import TAB, Nearby, indentation_of, is_word, width_of

_LARGEST_STEP = 8
_FEW = 0.03
"""With a larger share of the rarer kind, lines are indented by both, and nothing is converted."""
REPEATS = 3
LONGEST_CYCLE = 4
_SHORTEST_DUPLICATE = 4
_ENDS_BLOCK = re.compile(
    r"(?:#\s*endif\b.*|end\w*|done|esac|</[\w.:-]*>|\W*(?:null|nil|None|true|false|0)\W*)[);,]*",
    re.IGNORECASE,
)
"""A line that is often followed by its like."""
_REPEATED = re.compile(r"\b(\w+(?:[^\w\n]+\w+){0,3}?)([^\w\n]+)(?:\1\2)+\1")
"""One to four words, at least three times."""
_MOST_REPEATS = 4
"""In a list that is closed behind them, as vectors and colours are."""
_CLOSES = re.compile(r"[)\]},;\s]*$", re.MULTILINE)
_NO_CODE = re.compile(
    r"<[|\uff5c][\w\u2581]+(?:[|\uff5c]>|\Z)|(?<!<)<(?:fim_\w+|file_sep|PRE|SUF|MID|EOT)>"
    r"|[\0-\x08\x0b\x0e-\x1f\x7f\ufeff\u202a-\u202e\u2066-\u2069]"
)
"""Special tokens that a server left in its answer, control characters, and those that turn text."""
_FENCE = re.compile(r"\s*(?:```|~~~)[\w+#-]*\s*\Z")
_FENCED = frozenset(
    {
        *("asciidoc", "djot", "gfm", "markdown", "markdown.mdx", "mdx", "pandoc", "plaintext"),
        *("quarto", "restructuredtext", "rmd", "rst", "text", "typst", "vimwiki"),
        *("git-commit", "gitcommit"),
    }
)
"""Languages in which a fence is text, by the names that editors give them."""
_LONGEST_RUN = 300
"""Characters at the end that are searched for it."""


def unit_of(around: Nearby) -> str:
    """Return one level of indentation in the nearby text: a tab or some blanks.

    It is empty if the lines are indented by both, or not at all.
    """
    text = f"{around.before}{around.after}"
    blanks = [indentation_of(line) for line in text.split("\n")]
    tabs = sum(blank.startswith("\t") for blank in blanks)
    spaces = sum(blank.startswith("  ") for blank in blanks)
    if not tabs + spaces or min(tabs, spaces) > _FEW * (tabs + spaces):
        return ""
    return "\t" if tabs > spaces else " " * _step([len(blank) for blank in blanks])


def _step(widths: list[int]) -> int:
    """Return by how much a deeper line is usually indented further than the one before."""
    steps = Counter(
        deeper - width for width, deeper in pairwise(widths) if 1 < deeper - width <= _LARGEST_STEP
    )
    return steps.most_common(1)[0][0] if steps else TAB


def reindented(text: str, unit: str, *, first: bool) -> str:
    """Return `text` with its lines indented by `unit`, whatever the model indents by.

    `first`: whether the first line is indented at all; it may continue one that stands there.
    """
    head, *others = text.split("\n")
    lines = [head, *others] if first else others
    indented = [line for line in lines if line.strip() and line[0] in " \t"]
    if not unit or not indented:
        return text
    own = _own_unit([indentation_of(line) for line in indented])
    lines = [_with_leading(line, own, unit) for line in lines]
    return "\n".join(lines if first else [head, *lines])


def _own_unit(blanks: list[str]) -> int:
    """Return how many blanks the answer indents a level by."""
    widths = [len(blank) for blank in blanks if "\t" not in blank]
    return TAB if all(width % TAB == 0 for width in widths) else 2


def _with_leading(line: str, own: int, unit: str) -> str:
    blank = indentation_of(line)
    if unit == "\t":
        # Blanks behind a tab align.
        converted = blank if "\t" in blank else blank.replace(" " * own, unit)
    else:
        converted = blank.replace("\t", unit)
    return converted + line[len(blank) :]


def rejoined(text: str, context: SyntaxContext, unit: str) -> str:
    """Return `text` as it continues the cursor's line.

    A blank that stands there is not doubled, and indentation that is missing there is kept.
    """
    line = context.line_before
    if not line.endswith((" ", "\t")) or context.in_string or context.in_comment:
        return text
    body = text.lstrip(" \t")
    led = text[: len(text) - len(body)]
    if line.strip():
        # More than one aligns.
        return body if len(led) == 1 else text
    return _missing(led, context, unit) + body


def _missing(led: str, context: SyntaxContext, unit: str) -> str:
    """Return those blanks at the beginning of the answer that the cursor's line lacks.

    A blank line lacks some if the line above opens a block and the cursor is indented no further
    than that line.
    """
    above = context.around.before.rstrip().rpartition("\n")[2]
    here, outer = width_of(context.line_before), width_of(above)
    if not led or here > outer or not opens_block(above, context.language_id):
        return ""
    wanted = outer + width_of(unit or " " * TAB)
    # The model wrote the whole indentation, or only what is missing.
    return led[-(wanted - here) :] if width_of(led) == wanted and "\t" not in led else led


def without_overlap(text: str, after: str) -> str:
    """Return `text` without the longest end that `after` begins with.

    A word is never split: `a` before `and` stays.
    """
    for length in range(min(len(text), len(after)), 0, -1):
        if text.endswith(after[:length]) and _at_word_ends(text, after, length):
            return text[:-length].rstrip()
    return text


def before_word(text: str, shown: str) -> str:
    """Return `shown`, the beginning of `text`, as it fits in front of a word.

    It ends with the blank that parts them; it is empty if they would become one word.
    """
    blank = text[len(shown) : len(shown) + 1]
    if shown and blank in (" ", "\t"):
        return f"{shown}{blank}"
    return "" if is_word(shown[-1:]) else shown


def _at_word_ends(text: str, after: str, length: int) -> bool:
    splits_text = _in_word(text[-length - 1 : -length], text[-length])
    splits_after = _in_word(after[length - 1], after[length : length + 1])
    return not splits_text and not splits_after


def _in_word(left: str, right: str) -> bool:
    return is_word(left) and is_word(right)


def duplicates(line: str, next_line: str) -> bool:
    """Return whether `line` says what the document's next line says; mere closers do not."""
    line = line.strip()
    long_enough = len(line) >= _SHORTEST_DUPLICATE and any(map(is_word, line))
    return long_enough and line == next_line.strip() and not _ENDS_BLOCK.fullmatch(line)


def without_repeats(text: str) -> str:
    """Return `text` up to the first repeat, if it repeats itself within a line.

    A model that begins to say the same again seldom ends. A short list that is closed behind the
    repeats is left as it is.
    """
    for run in _REPEATED.finditer(text, max(0, len(text) - _LONGEST_RUN)):
        unit, separator = run.groups()
        count = (len(run[0]) + len(separator)) // (len(unit) + len(separator))
        rest = text[run.end() :]
        ends = not rest.strip(",; \t\n") or f"{separator}{unit}".startswith(rest)
        if ends or (count > _MOST_REPEATS and _CLOSES.match(rest)):
            return text[: run.end(1)]
    return text


def end_of_code(line: str, around: Nearby) -> int | None:
    """Return where a model's own marks, or characters that no editor shows, begin in `line`.

    Files about models hold such marks: where the document has some, they are text.
    """
    found = _NO_CODE.search(line)
    if found is None or found[0][:2] in f"{around.before}{around.after}":
        return None
    return found.start()


def is_fence(line: str, language_id: str) -> bool:
    """Return whether the line is a fence of Markdown, in which chat models wrap code."""
    return _FENCE.match(line) is not None and language_id not in _FENCED


def unrepeated(lines: Sequence[str]) -> int | None:
    """Return how many of `lines` to keep if they end in a cycle of repeated lines, else None."""
    for cycle in range(1, LONGEST_CYCLE + 1):
        tail = [line.strip() for line in lines[-cycle * REPEATS :]]
        whole = len(tail) == cycle * REPEATS and any(map(is_word, "".join(tail)))
        if whole and tail == tail[:cycle] * REPEATS:
            return len(lines) - cycle * (REPEATS - 1)
    return None

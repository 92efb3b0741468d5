"""The indentation of an answer, made that of its document."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from cato_lsp.syntax.context import SyntaxContext, opens_block
from cato_lsp.syntax.nearby import TAB, Nearby, indentation_of, width_of

_LARGEST_STEP = 8
_FEW = 0.03
"""With a larger share of the rarer kind, lines are indented by both, and nothing is converted."""


def unit_of(around: Nearby) -> str:
    """One level of indentation in the nearby text: a tab or some blanks; empty where its lines are
    indented by both, or not at all."""
    text = f"{around.before}{around.after}"
    blanks = [indentation_of(line) for line in text.split("\n")]
    tabs = sum(blank.startswith("\t") for blank in blanks)
    spaces = sum(blank.startswith("  ") for blank in blanks)
    if not tabs + spaces or min(tabs, spaces) > _FEW * (tabs + spaces):
        return ""
    return "\t" if tabs > spaces else " " * _step([len(blank) for blank in blanks])


def _step(widths: list[int]) -> int:
    """By how much most lines are indented that are indented by more than the line before."""
    steps = Counter(
        deeper - width for width, deeper in pairwise(widths) if 1 < deeper - width <= _LARGEST_STEP
    )
    return steps.most_common(1)[0][0] if steps else TAB


def reindented(text: str, unit: str, *, first: bool) -> str:
    """`text` with its lines indented by `unit`, whatever the model indents by. `first`: whether the
    first line is indented at all; it may continue one that stands there."""
    head, *others = text.split("\n")
    lines = [head, *others] if first else others
    indented = [line for line in lines if line.strip() and line[0] in " \t"]
    if not unit or not indented:
        return text
    own = _own_unit([indentation_of(line) for line in indented])
    lines = [_with_leading(line, own, unit) for line in lines]
    return "\n".join(lines if first else [head, *lines])


def _own_unit(blanks: list[str]) -> int:
    """How many blanks the answer indents a level by."""
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
    """`text` as it continues the cursor's line: a blank that stands there is not doubled, and
    indentation that is missing there is kept."""
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
    """What of the blanks that the answer begins with is missing on the blank line of the cursor:
    the line above opens a block, and the cursor is indented no further than it."""
    above = context.around.before.rstrip().rpartition("\n")[2]
    here, outer = width_of(context.line_before), width_of(above)
    if not led or here > outer or not opens_block(above, context.language_id):
        return ""
    wanted = outer + width_of(unit or " " * TAB)
    # The model wrote the whole indentation, or only what is missing.
    return led[-(wanted - here) :] if width_of(led) == wanted and "\t" not in led else led

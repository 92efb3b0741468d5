"""CPU time of what one key costs the language server before it asks: edit, parse, context, window.

    python -m bench.document_edits [--language python] [--keys 300]

Prints, for files of 1,000, 5,000 and 20,000 lines, p50 and p99 in milliseconds of CPU time of this
process: of the change (text, lines, tree), of the syntax context with `classify`, of the window, of
all, and last the share of keys after which the tree was that of the very text. Keys are single
characters of a statement typed in the middle of the file; `open quote` types a string, whose quote
stays open for most of the keys. As in the server, the document is settled where the typing pauses:
here at the end of each statement, outside of the measured time.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
import statistics
import time
from collections.abc import Iterator
from typing import Any

from bench.machine import save
from cato_backend.commands.arguments import output_file
from cato_lsp.decisions.classify import Action, classify
from cato_lsp.decisions.window import window
from cato_lsp.settings.settings import Targets
from cato_lsp.syntax import open_document, syntax_context
from cato_lsp.text import Change, Document, Encoding, Position, Range

FUNCTIONS = {
    "python": (
        "def function_{n}(first, second):\n"
        '    """Adds what was given, and doubles it."""\n'
        "    table = {{'first': first, 'second': [1, 2, second]}}\n"
        "    if first > second:\n"
        "        return combine(first, second, table)\n"
        "    total = 0\n"
        "    return table\n"
        "\n",
        "    ",
    ),
    "typescript": (
        "/** Adds what was given, and doubles it. */\n"
        "export function function_{n}(first: number, second: number): Table {{\n"
        "  const table = {{ first: first, second: [1, 2, second] }};\n"
        "  if (first > second) {{\n"
        "    return combine(first, second, table);\n"
        "  }}\n"
        "  return table;\n"
        "}}\n",
        "  ",
    ),
}
TYPED = {
    "statement": "total = combine(first, other)",
    "open quote": 'total = "some words here"',
}
BUDGET = 12_000
SIZES = (1_000, 5_000, 20_000)


def source(language: str, lines: int) -> str:
    """A file of so many lines."""
    function = FUNCTIONS[language][0]
    return "".join(function.format(n=n) for n in range(lines // function.count("\n")))


def keys(document: Document, language: str, typed: str, count: int) -> Iterator[list[Change]]:
    """Types statements, one character each, into new lines in the middle of the file."""
    snapshot = document.snapshot()
    middle = snapshot.text.index("return table", len(snapshot.text) // 2)
    line = snapshot.lines.line_at(middle) - 1
    indentation = "\n" + FUNCTIONS[language][1]
    column = len(snapshot.line(line))
    for n in range(count):
        # The line end is typed first, and the editor indents the new line.
        text = (indentation, *typed)[n % (len(typed) + 1)]
        place = Position(line, column)
        yield [Change(text, Range(place, place))]
        line, column = (line + 1, len(text) - 1) if text == indentation else (line, column + 1)


def measured(
    language: str, lines: int, typed: str, count: int
) -> tuple[dict[str, list[float]], float]:
    """Milliseconds of CPU time by part, one per key, and the share of keys with a settled tree."""
    settled = 0
    document = open_document("file:///a", language, 0, source(language, lines))
    times: dict[str, list[float]] = {"change": [], "context": [], "window": [], "all": []}
    for version, changes in enumerate(keys(document, language, typed, count), 1):
        place = changes[0].range
        assert place is not None
        if changes[0].text.startswith("\n"):
            document.settle()
        marks = [time.process_time_ns()]
        document.apply(changes, version, Encoding.UTF16)
        snapshot = document.snapshot()
        marks.append(time.process_time_ns())
        settled += snapshot.settled
        offset = snapshot.offset(place.start, Encoding.UTF16) + len(changes[0].text)
        classify(Action.AUTOMATIC_COMPLETION, syntax_context(snapshot, offset), Targets())
        marks.append(time.process_time_ns())
        window(snapshot, offset, BUDGET)
        marks.append(time.process_time_ns())
        for part, start, end in zip(
            ("change", "context", "window"), marks, marks[1:], strict=False
        ):
            times[part].append((end - start) / 1e6)
        times["all"].append((marks[-1] - marks[0]) / 1e6)
    return times, settled / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--language", choices=sorted(FUNCTIONS), default="python")
    parser.add_argument("--keys", type=int, default=300)
    parser.add_argument("--json", type=output_file, help="write the raw results there")
    arguments = parser.parse_args()
    version = importlib.metadata.version
    grammar = f"tree-sitter-{arguments.language}"
    print(
        f"Python {platform.python_version()}, tree-sitter {version('tree-sitter')},"
        f" {grammar} {version(grammar)}, {arguments.keys} keys; ms of CPU time, p50 / p99"
    )
    rows = list[dict[str, Any]]()
    for name, typed in TYPED.items():
        for lines in SIZES:
            times, settled = measured(arguments.language, lines, typed, arguments.keys)
            parts = {part: _p50_p99(values) for part, values in times.items()}
            rows.append({"language": arguments.language, "typed": name, "lines": lines, **parts})
            told = (f"{part} {p50:6.3f} / {p99:6.3f}" for part, (p50, p99) in parts.items())
            print(f"{name:>10} {lines:>6} lines  ", "  ".join(told), f"  settled {settled:4.0%}")
    if arguments.json:
        save(arguments.json, {"rows": rows}, ("cato-lsp", "tree-sitter", grammar))


def _p50_p99(values: list[float]) -> tuple[float, float]:
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return round(cuts[49], 3), round(cuts[98], 3)


if __name__ == "__main__":
    main()

"""What the language server's estimates of output tokens are worth on real code.

    python -m bench.output_estimates --files /usr/lib/python3.11 --pairs HUMANEVAL_X_FOLDER

Completions: Python files are cut at random places (in a line, behind the header of a block, between
the statements of a body, before a body), what stands there is taken away, and read as the language
server would read it from a model that writes just that. Translations: the functions of HumanEval-X
in six languages. Tokens are characters / 3.3 throughout. The figures are of log(true / estimated):
the bias is the median, the spread the standard deviation.
"""

from __future__ import annotations

import argparse
import ast
import gzip
import json
import math
import random
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

from bench.machine import save
from cato_backend.commands.arguments import output_file
from cato_backend.wire.estimates import translation_tokens
from cato_lsp.completion import Completeness
from cato_lsp.decisions.classify import Action, classify
from cato_lsp.settings.settings import Targets
from cato_lsp.syntax import open_document, syntax_context

CHARS_PER_TOKEN = 3.3
_PIECE = 3
_LONGEST = 8_000
_READ_AHEAD_TOKENS = 2
_FEWEST = 10
"""Places that make a row."""
_PAIRS = {"python": "python", "java": "java", "cpp": "cpp", "js": "javascript", "go": "go",
          "rust": "rust"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cut:
    """A file without a piece of it."""

    kind: str
    before: str
    missing: str
    after: str


@dataclass(frozen=True, slots=True)
class Found:
    """An estimate beside the truth, in tokens."""

    group: str
    estimated: float
    true: float


def main() -> None:
    """Prints a table and writes the results."""
    arguments = _parser().parse_args()
    found = [*_completions(arguments), *_translations(arguments.pairs)]
    groups = Counter(f.group for f in found)
    rows = [_row(group, found) for group, places in groups.items() if places >= _FEWEST]
    print("| estimate of | places | true median | estimated | bias | spread |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        print("|", " | ".join(str(value) for value in row.values()), "|")
    if arguments.out:
        save(arguments.out, {"seed": arguments.seed, "rows": rows})


def _row(group: str, found: Sequence[Found]) -> dict[str, object]:
    own = [f for f in found if f.group == group]
    errors = [math.log(f.true / f.estimated) for f in own]
    return {
        "group": group,
        "places": len(own),
        "median": round(statistics.median(f.true for f in own)),
        "estimated": round(statistics.median(f.estimated for f in own)),
        "bias": round(statistics.median(errors), 3),
        "spread": round(statistics.pstdev(errors), 3),
    }


def _completions(arguments: argparse.Namespace) -> Iterator[Found]:
    chance = random.Random(arguments.seed)
    paths = [p for p in sorted(arguments.files.rglob("*.py")) if 2_000 < p.stat().st_size < 60_000]
    for path in chance.sample(paths, min(arguments.count, len(paths))):
        try:
            text = path.read_text(encoding="utf-8")
            tree = ast.parse(text)
        except (SyntaxError, UnicodeDecodeError, ValueError):
            continue
        for cut in _cuts(text, tree, chance):
            yield _completed(cut)


def _completed(cut: Cut) -> Found:
    snapshot = open_document("file:///a.py", "python", 1, cut.before + cut.after).snapshot()
    context = syntax_context(snapshot, len(cut.before))
    assignment = classify(Action.AUTOMATIC_COMPLETION, context, Targets())
    completeness = Completeness(context, assignment)
    text, read = (cut.missing + cut.after)[:_LONGEST], 0
    while read < len(text) and not completeness.feed(text[read : read + _PIECE]):
        read += _PIECE
    limits = assignment.limits
    true = min(limits.max_tokens, read / CHARS_PER_TOKEN + _READ_AHEAD_TOKENS)
    group = f"{assignment.task}, {limits.extent}, {cut.kind}"
    return Found(group, limits.expected_tokens or 1, true)


def _cuts(text: str, tree: ast.AST, chance: random.Random) -> Iterator[Cut]:
    lines = text.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    nodes = [*ast.walk(tree)]
    functions = [n for n in nodes if isinstance(n, ast.FunctionDef) and n.body[0].lineno > n.lineno]
    headers = [n for n in nodes if isinstance(n, ast.For | ast.If | ast.While | ast.With)]
    for function in chance.sample(functions, min(3, len(functions))):
        body = function.body[1:] if ast.get_docstring(function) else function.body
        if body:
            yield _statements("before a body", text, starts, body)
        if len(body) > 2:
            yield _statements("in a body", text, starts, body[chance.randrange(1, len(body)) :])
    for header in chance.sample(headers, min(3, len(headers))):
        if header.body[0].lineno > header.lineno:
            at, end = starts[header.body[0].lineno - 1] - 1, _end(starts, header.body)
            yield Cut("behind a header", text[:at], text[at:end], text[end:])
    for number in chance.sample(range(len(lines)), min(6, len(lines))):
        line, start = lines[number], starts[number]
        begins = len(line) - len(line.lstrip())
        if line.strip():
            at, end = start + chance.randrange(begins, len(line)), start + len(line)
            yield Cut("in a line", text[:at], text[at:end], text[end:])


def _statements(kind: str, text: str, starts: Sequence[int], body: Sequence[ast.stmt]) -> Cut:
    at, end = starts[body[0].lineno - 1] + body[0].col_offset, _end(starts, body)
    return Cut(kind, text[:at], text[at:end], text[end:])


def _end(starts: Sequence[int], body: Sequence[ast.stmt]) -> int:
    return starts[body[-1].end_lineno or body[-1].lineno] - 1


def _translations(folder: Path) -> Iterator[Found]:
    texts = {name: _functions(folder / f"humaneval_{name}.jsonl.gz") for name in _PAIRS}
    for source, target in permutations(_PAIRS, 2):
        for number, text in texts[source].items():
            estimated = translation_tokens(
                len(text), CHARS_PER_TOKEN, _PAIRS[source], _PAIRS[target]
            )
            true = len(texts[target][number]) / CHARS_PER_TOKEN
            yield Found("translation", estimated, true)


def _functions(path: Path) -> dict[str, str]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        problems = [json.loads(line) for line in file]
    return {
        problem["task_id"].partition("/")[2]: problem["declaration"] + problem["canonical_solution"]
        for problem in problems
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=Path, required=True, help="a folder of Python files")
    parser.add_argument("--count", type=int, default=300, help="how many of them")
    parser.add_argument("--pairs", type=Path, required=True, help="the files of HumanEval-X")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=output_file)
    return parser


if __name__ == "__main__":
    main()

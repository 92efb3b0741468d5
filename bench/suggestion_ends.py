"""Whether a suggestion holds the whole line that the model answered, on real code.

    python -m bench.suggestion_ends                            # the files found on this machine
    python -m bench.suggestion_ends --sources FOLDER --lines 900 --json out.json

A line is taken out of a real file. The model answers that line and what follows it in the file, in
pieces of some characters. The suggestion must begin with the whole line (aim: 99% of 900 lines in
each of 12 languages). The cursor stands on the blank line that is left, at the indentation of the
line (`whole`; `invoked`: asked for by the person), in its first column (`at the margin`: the model
supplies the indentation), or at a random column behind what is left of the line (`within`).

`no more`: the share of suggestions that hold just the line. Everything else that the model said
stands in the file already, and would be there twice.

Files are looked for in the standard library, the installed packages of Python and Node, the
headers, the sources and the examples of the system. Languages with too few lines there are named;
`--sources` adds folders.
"""

from __future__ import annotations

import argparse
import random
import sys
import sysconfig
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from bench.machine import save
from cato_backend.commands.arguments import output_file
from cato_lsp.commands.arguments import LANGUAGES
from cato_lsp.completion import Completeness
from cato_lsp.decisions.classify import Action, classify
from cato_lsp.settings.settings import Targets
from cato_lsp.syntax import open_document, syntax_context

SUFFIXES = {**LANGUAGES, ".sh": "shellscript", ".bash": "shellscript"}
SUFFIXES = {
    suffix: language
    for suffix, language in SUFFIXES.items()
    if suffix not in {".pyi", ".jsx", ".tsx", ".h", ".d.ts"}
}
ANSWERED_LINES = 12
"""How much the model says: the line, and what follows it."""
PIECE = 4
LARGEST_FILE = 60_000
SMALLEST_FILE = 400
LINES_OF_A_FILE = 12
MOST_FILES = 4_000


@dataclass(frozen=True, slots=True)
class Case:
    """A file without one of its lines, and what the model answers there."""

    language: str
    before: str
    """The text up to the line."""
    line: str
    after: str
    """The text from the line's end."""

    @property
    def indentation(self) -> int:
        """The number of blanks in front of the line."""
        return len(self.line) - len(self.line.lstrip())


@dataclass(slots=True)
class Score:
    """Counts of one language."""

    lines: int = 0
    whole: int = 0
    alone: int = 0
    at_the_margin: int = 0
    within: int = 0
    invoked: int = 0


def shown(case: Case, column: int, action: Action = Action.AUTOMATIC_COMPLETION) -> str:
    """What the language server shows at this column of the model's answer."""
    before = case.before + case.line[:column]
    snapshot = open_document("file:///sample", case.language, 1, before + case.after).snapshot()
    context = syntax_context(snapshot, len(before))
    reader = Completeness(context, classify(action, context, Targets()))
    following = (f"\n{line}" for line in case.after.split("\n")[1:])
    answer = case.line[column:] + "".join(islice(following, ANSWERED_LINES))
    for start in range(0, len(answer), PIECE):
        if reader.feed(answer[start : start + PIECE]):
            return reader.text()
    return reader.text(truncated=True)


def lines_of(path: Path) -> list[str]:
    """The lines of a source file. Raises UnicodeDecodeError."""
    return path.read_text(encoding="utf-8").replace("\r\n", "\n").split("\n")


def case_of(lines: Sequence[str], number: int, language: str) -> Case:
    """The file without the line of this index."""
    before = "".join(f"{line}\n" for line in lines[:number])
    after = "".join(f"\n{line}" for line in lines[number + 1 :])
    return Case(language, before, lines[number].rstrip(), after)


def cases(path: Path, language: str, chosen: random.Random, most: int) -> Iterator[Case]:
    """Lines of one file, at random."""
    lines = lines_of(path)
    numbers = [number for number, line in enumerate(lines) if line.strip()]
    for number in sorted(chosen.sample(numbers, min(most, len(numbers)))):
        yield case_of(lines, number, language)


def judge(case: Case, score: Score, chosen: random.Random) -> list[int]:
    """Counts one case; returns the columns whose suggestion does not begin with the line."""
    start = case.indentation
    within = chosen.randint(start, len(case.line) - 1)
    whole = {column: is_whole(case, column) for column in (start, 0, within)}
    score.lines += 1
    score.whole += whole[start]
    score.alone += shown(case, start) == case.line[start:]
    score.at_the_margin += whole[0]
    score.within += whole[within]
    score.invoked += is_whole(case, start, Action.INVOKED_COMPLETION)
    return [column for column, is_so in whole.items() if not is_so]


def is_whole(case: Case, column: int, action: Action = Action.AUTOMATIC_COMPLETION) -> bool:
    """Whether the suggestion begins with the rest of the line, and a line end behind it."""
    return f"{shown(case, column, action)}\n".startswith(f"{case.line[column:]}\n")


def files(folders: Iterable[Path]) -> dict[str, list[Path]]:
    """The source files of each language, none twice."""
    found: dict[str, dict[tuple[str, int], Path]] = defaultdict(dict)
    for folder in folders:
        for path in folder.rglob("*"):
            language = SUFFIXES.get(path.suffix)
            if language is None or path.name.endswith((".d.ts", ".min.js")) or path.is_symlink():
                continue
            size = path.stat().st_size if path.is_file() else 0
            if SMALLEST_FILE <= size <= LARGEST_FILE and len(found[language]) < MOST_FILES:
                found[language][path.name, size] = path
    return {language: sorted(paths.values()) for language, paths in found.items()}


def installed() -> list[Path]:
    """Folders with sources that a machine for development has anyway."""
    node = Path("vscode-extension/node_modules")
    system = [Path(f"/usr/{name}") for name in ("include", "share", "lib", "src")]
    python = [Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib")]
    return [folder for folder in (*python, node, *system) if folder.is_dir()]


def measure(paths: Sequence[Path], language: str, most: int, show: int) -> Score:
    """Judges up to `most` lines of a language; prints the first `show` that fail."""
    chosen = random.Random(17)
    order = chosen.sample(paths, len(paths))
    # Many files, where there are many.
    of_a_file = max(LINES_OF_A_FILE, -(-most // max(len(paths), 1)))
    score = Score()
    for path in order:
        try:
            for case in cases(path, language, chosen, min(of_a_file, most - score.lines)):
                for column in judge(case, score, chosen)[:show]:
                    show -= 1
                    place = f"{path.name}:{case.before.count(chr(10)) + 1}:{column + 1}"
                    print(f"{place}: {case.line!r} was shown as {shown(case, column)!r}")
        except UnicodeDecodeError:
            continue
        if score.lines >= most:
            break
    return score


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sources", type=Path, nargs="*", default=[], help="further folders")
    parser.add_argument("--only", nargs="*", help="languages (all)")
    parser.add_argument("--lines", type=int, default=900)
    parser.add_argument("--show", type=int, default=0, help="print so many failures of each")
    parser.add_argument("--json", type=output_file)
    arguments = parser.parse_args()
    found = files([*arguments.sources, *installed()])
    result: dict[str, dict[str, float]] = {}
    for language in sorted(set(SUFFIXES.values())):
        if arguments.only and language not in arguments.only:
            continue
        score = measure(found.get(language, []), language, arguments.lines, arguments.show)
        result[language] = _shares(score)
        print(
            f"{language:12}",
            *(f"{name} {value}" for name, value in result[language].items()),
            flush=True,
        )
    few = Counter({name: int(row["lines"]) for name, row in result.items()})
    for language, lines in few.items():
        if lines < arguments.lines:
            print(f"too few files: {language}, {lines} lines", file=sys.stderr)
    if arguments.json:
        save(arguments.json, {"languages": result}, ("cato-lsp",))


def _shares(score: Score) -> dict[str, float]:
    counts = {
        "whole %": score.whole,
        "no more %": score.alone,
        "at the margin %": score.at_the_margin,
        "within %": score.within,
        "invoked %": score.invoked,
    }
    shares = {name: round(100 * count / max(score.lines, 1), 2) for name, count in counts.items()}
    return {"lines": score.lines, **shares}


if __name__ == "__main__":
    main()

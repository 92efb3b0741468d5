"""How good a model's answers are: `python -m bench.quality MODEL --data FOLDER`.

FOLDER has `humaneval-infilling` and `humaneval-x` with the files of these benchmarks. Each class of
task gets the same sample of problems, through the product's own prompts, as an editor asks them.
Code is executed without a network and with limits of time. Beside HumanEval, which models may have
seen in training, lines of the Python packages that are installed are completed. Every verdict is
kept in the result file, which grows with each class: a run that is ended goes on where it was.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.machine import save
from bench.models import served
from bench.quality.asking import Client, Exchange
from bench.quality.classes import OF_FUNCTIONS, OfFunction, line
from bench.quality.problems import Function, Hole, functions, package_lines, single_lines
from bench.quality.verdicts import Judged, Verdict
from cato_backend.commands.arguments import output_file
from cato_lsp.backend.failures import BackendFailure
from cato_lsp.commands.arguments import connected
from cato_lsp.settings.settings import parse

LINES, PACKAGES = "line", "line of an installed package"
CLASSES = (LINES, PACKAGES, *OF_FUNCTIONS)
_SIDE_BY_SIDE = 4
Ask = Callable[[Client], Awaitable[Judged]]


@dataclass(frozen=True, slots=True)
class Question:
    """One problem of a class."""

    id: str
    ask: Ask


def questions(name: str, arguments: argparse.Namespace) -> list[Question]:
    """Return the sample of a class."""
    count, seed, data = arguments.count, arguments.seed, arguments.data
    if name in OF_FUNCTIONS:
        of_class = OF_FUNCTIONS[name]
        found = functions(data / "humaneval-x", count, seed)
        return [Question(each.id, _of_function(of_class, each)) for each in found]
    if name == LINES:
        file = data / "humaneval-infilling/HumanEval-SingleLineInfilling.jsonl.gz"
        holes = single_lines(file, arguments.lines, seed)
    else:
        holes = package_lines(arguments.lines, seed)
    return [Question(hole.id, _of_hole(hole)) for hole in holes]


def _of_function(of_class: OfFunction, function: Function) -> Ask:
    return lambda client: of_class(client, function)


def _of_hole(hole: Hole) -> Ask:
    return lambda client: line(client, hole)


async def judged(client: Client, asked: Sequence[Question]) -> list[Judged]:
    """Return the verdict of each question, in their order."""
    gate = asyncio.Semaphore(_SIDE_BY_SIDE)

    async def one(question: Question) -> Judged:
        async with gate:
            try:
                return await question.ask(client)
            except BackendFailure as failure:
                return Judged(Verdict.NONE, str(failure))

    return list(await asyncio.gather(*(one(question) for question in asked)))


async def measure(model: str, url: str, arguments: argparse.Namespace, rows: list[Any]) -> None:
    """Add a row for each class that has none yet, and keep each at once."""
    settings, _ = parse({"backend": {"url": url}})
    done = {(row["model"], row["class"]) for row in rows}
    async with connected(settings) as connection:
        for name in arguments.classes:
            if (model, name) in done:
                continue
            client, asked = Client(connection), questions(name, arguments)
            found = await judged(client, asked)
            answers = [
                {"problem": question.id, **asdict(each)}
                for question, each in zip(asked, found, strict=True)
            ]
            rows.append({"model": model, "class": name, "seed": arguments.seed, "answers": answers})
            print(f"{model}, {name}: done", file=sys.stderr)
            if arguments.json:
                save(arguments.json, {"rows": rows})
            if arguments.answers:
                _keep(arguments.answers, name, client.exchanges)


def _keep(file: Path, name: str, exchanges: Sequence[Exchange]) -> None:
    with file.open("a", encoding="utf-8") as stream:
        for each in exchanges:
            stream.write(json.dumps({"class": name, **asdict(each)}) + "\n")


def table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield as Markdown how many answers have each verdict."""
    yield f"| model | class | {' | '.join(Verdict)} |"
    yield f"|---|---|{'---|' * len(Verdict)}"
    for row in rows:
        counts = Counter(answer["verdict"] for answer in row["answers"])
        yield f"| {row['model']} | {row['class']} | {' | '.join(str(counts[v]) for v in Verdict)} |"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", help="as for cato serve --model")
    parser.add_argument("--data", type=Path, required=True, help="the folder of the benchmarks")
    parser.add_argument("--classes", nargs="+", choices=CLASSES, default=CLASSES, metavar="CLASS")
    parser.add_argument("--count", type=int, default=20, help="functions of each class")
    parser.add_argument("--lines", type=int, default=20, help="lines of each class")
    parser.add_argument("--seed", type=int, default=1, help="which problems")
    parser.add_argument("--json", type=output_file, help="keep every verdict there, and go on")
    parser.add_argument("--answers", type=output_file, help="add prompts and answers there")
    arguments = parser.parse_args()
    rows = _rows(arguments.json)
    for model in arguments.models:
        with (
            tempfile.TemporaryDirectory(prefix="cato-quality-") as folder,
            served(model, Path(folder)) as (url, _),
        ):
            asyncio.run(measure(model, url, arguments, rows))
    print("\n".join(table(rows)))


def _rows(file: Path | None) -> list[Any]:
    if file is None or not file.is_file() or not file.stat().st_size:
        return []
    return list(json.loads(file.read_text(encoding="utf-8"))["rows"])


if __name__ == "__main__":
    main()

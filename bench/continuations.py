"""How many requests of an evaluation would replace each other as if a person had typed.

    python -m bench.continuations --infilling HUMANEVAL_INFILLING_FOLDER

The three benchmarks of human-eval-infilling, in the order of their files, so many requests at once,
by one client that names nothing. Each one that is taken for the continuation of a live one would
end that one with the error `superseded`.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections import deque
from pathlib import Path
from time import perf_counter

from cato_backend.gateway.continuations import Continuations, Keystroke, TypingClient
from cato_backend.tasks.cursor import CursorText

_AT_ONCE = (4, 16, 64)
_CLIENT = TypingClient("token", "", "127.0.0.1", "cato")


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--infilling", type=Path, required=True)
    print("| benchmark | requests | at once | replaced | µs a request |\n|---|---|---|---|---|")
    for path in sorted(parser.parse_args().infilling.glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            problems = [json.loads(line) for line in file]
        texts = [CursorText(problem["prompt"], problem["suffix"]) for problem in problems]
        for at_once in _AT_ONCE:
            began = perf_counter()
            replaced = _replaced(texts, at_once) / len(texts)
            spent_us = (perf_counter() - began) / len(texts) * 1e6
            name = path.name.removesuffix(".jsonl.gz")
            print(f"| {name} | {len(texts)} | {at_once} | {replaced:.1%} | {spent_us:.0f} |")


def _replaced(texts: list[CursorText], at_once: int) -> int:
    index, live, replaced = Continuations(), deque[Keystroke](), 0
    for text in texts:
        live.append(index.begin(_CLIENT, text))
        replaced += live[-1].supersedes
        if len(live) == at_once:
            index.end(live.popleft())
    return replaced


if __name__ == "__main__":
    main()

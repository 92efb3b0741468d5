"""Turns corpus texts into packed, compressed token shards: the trainer's only input.

    python -m training.shards --corpus CORPUS --out SHARDS --sequence 512 --rows 40000

Every row is `sequence` + 1 tokens. A file is cut at line ends into pieces of random length; a
piece becomes a fill-in-the-middle example or stays plain text after `<|file_sep|>`, and pieces
fill rows in random order. A shard is an .npz with one uint16 array `rows`.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from training.corpus import Text
from training.idiomatic import idiomatic_pieces, with_short_docstrings
from training.packer import Packer
from training.tokenizer import train_tokenizer

ROWS_PER_SHARD = 2048
TEXTS_TOGETHER = 2000


def read_texts(path: Path) -> list[Text]:
    """All files of one split."""
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def mixed(texts: list[Text], script_share: float, rng: random.Random) -> list[Text]:
    """All Python, and JavaScript and TypeScript up to `script_share` of the characters."""
    python = [text for text in texts if text["language"] == "python"]
    scripts = [text for text in texts if text["language"] != "python"]
    rng.shuffle(scripts)
    total = sum(len(text["text"]) for text in python)
    room = total * script_share / (1 - script_share)
    chosen = []
    for text in scripts:
        room -= len(text["text"])
        if room < 0:
            break
        chosen.append(text)
    return python + chosen


def pieces_of(text: str, sequence: int, rng: random.Random) -> Iterator[tuple[str, bool]]:
    """Cut at line ends into (piece, is the last); lengths are log-uniform, up to one sequence."""
    lines = text.splitlines(keepends=True)
    longest = sequence * 3.2
    piece: list[str] = []
    size, wanted = 0, 0.0
    for number, line in enumerate(lines):
        wanted = wanted or math.exp(rng.uniform(math.log(300), math.log(longest)))
        piece.append(line)
        size += len(line)
        last = number == len(lines) - 1
        if last or size >= wanted:
            yield "".join(piece), last
            piece, size, wanted = [], 0, 0.0


@dataclass(frozen=True, slots=True)
class Mixture:
    """How much is taken: of the pieces that are not idiomatic, and of each file's small
    definitions that hold nothing common."""

    long_share: float
    other_per_file: int


def rows_of(
    texts: list[Text], tokenizer: Tokenizer, sequence: int, mixture: Mixture, rng: random.Random
) -> Iterator[list[int]]:
    """Endless rows: each pass over the texts shuffles, shortens, cuts and hides anew."""
    packer = Packer(tokenizer, sequence + 1, rng)
    while True:
        shuffled = texts[:]
        rng.shuffle(shuffled)
        for first in range(0, len(shuffled), TEXTS_TOGETHER):
            group = shuffled[first : first + TEXTS_TOGETHER]
            pieces = list(pieces_of_texts(group, sequence, mixture, rng))
            rng.shuffle(pieces)
            for piece, last in pieces:
                row = packer.add(piece, last)
                if row is not None:
                    yield row


def pieces_of_texts(
    texts: list[Text], sequence: int, mixture: Mixture, rng: random.Random
) -> Iterator[tuple[str, bool]]:
    """That share of the pieces of some texts, and the idiomatic ones of the Python files."""
    for text in texts:
        source = text["text"]
        if text["language"] == "python":
            source = with_short_docstrings(source, rng)
            small = idiomatic_pieces(source, mixture.other_per_file, rng)
            yield from ((piece, True) for piece in small)
        long = pieces_of(source, sequence, rng)
        yield from (piece for piece in long if rng.random() < mixture.long_share)


def write_shards(rows: Iterator[list[int]], count: int, out: Path) -> None:
    """`count` rows in shards of `ROWS_PER_SHARD`."""
    out.mkdir(parents=True, exist_ok=True)
    for number, first in enumerate(range(0, count, ROWS_PER_SHARD)):
        size = min(ROWS_PER_SHARD, count - first)
        block = np.array([next(rows) for _ in range(size)], dtype=np.uint16)
        np.savez_compressed(out / f"shard-{number:04d}.npz", rows=block)
        print(f"{out.name}: {first + size}/{count} rows", flush=True)


def load_tokenizer(path: Path, texts: list[Text], vocab: int, seed: int) -> Tokenizer:
    """The tokenizer in `path`; trained on a tenth of the texts when there is none."""
    if not path.exists():
        sample = texts[:]
        random.Random(seed).shuffle(sample)
        chosen = (text["text"] for text in sample[: len(sample) // 10])
        train_tokenizer(chosen, vocab).save(str(path))
    return Tokenizer.from_file(str(path))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--split", default="train")
    parser.add_argument("--sequence", type=int, default=512, help="tokens")
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--vocab", type=int, default=8192)
    parser.add_argument("--script-share", type=float, default=0.06)
    parser.add_argument(
        "--long-share", type=float, default=0.5, help="of the pieces that are not idiomatic"
    )
    parser.add_argument(
        "--other-per-file",
        type=int,
        default=8,
        help="small definitions of a file beside those that hold what people write every day",
    )
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    texts = mixed(
        read_texts(arguments.corpus / f"{arguments.split}.jsonl.gz"), arguments.script_share, rng
    )
    path = arguments.corpus / "tokenizer.json"
    tokenizer = load_tokenizer(path, texts, arguments.vocab, arguments.seed)
    mixture = Mixture(arguments.long_share, arguments.other_per_file)
    rows = rows_of(texts, tokenizer, arguments.sequence, mixture, rng)
    write_shards(rows, arguments.rows, arguments.out)


if __name__ == "__main__":
    main()

"""A tiny model folder with random weights, made on the spot: for tests that need only its shape."""

from __future__ import annotations

import argparse
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import torch

from training.export import export
from training.model import Qwen2, Shape
from training.tokenizer import train_tokenizer


def standard_library(limit_bytes: int) -> Iterator[str]:
    """Source texts of the running Python's standard library, in name order, up to a total."""
    total = 0
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py")):
        text = path.read_text(encoding="utf-8", errors="replace")
        total += len(text)
        if total > limit_bytes:
            return
        yield text


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    shape = Shape(layers=4)
    tokenizer = train_tokenizer(standard_library(8_000_000), shape.vocab)
    export(Qwen2(shape), tokenizer, arguments.folder)
    print(arguments.folder)


if __name__ == "__main__":
    main()

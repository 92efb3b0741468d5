"""Exports a run's last checkpoint as a model folder.

python -m training.export_run --preset cpu --run RUN --tokenizer CORPUS/tokenizer.json OUT
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tokenizers import Tokenizer

from training.checkpoint import load_model
from training.export import export
from training.model import Qwen2
from training.presets import PRESETS


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", choices=PRESETS, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    model = Qwen2(PRESETS[arguments.preset].shape)
    load_model(arguments.run / "checkpoint", model)
    export(model, Tokenizer.from_file(str(arguments.tokenizer)), arguments.out)


if __name__ == "__main__":
    main()

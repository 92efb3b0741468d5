"""Checkpoints in shards of at most 15 MB, replaced as a whole so that none is ever half written."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from training.export import SHARD_BYTES, split_shards
from training.model import Qwen2
from training.optimiser import Optimiser


@dataclass(slots=True)
class Progress:
    """What a resumed run must know; `rows` counts the rows read from the folder `shards`."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    shards: str = ""
    rows: int = 0


def all_tensors(model: Qwen2, optimiser: Optimiser) -> dict[str, Tensor]:
    """Weights and optimiser state under one naming."""
    weights = {f"model/{name}": tensor for name, tensor in model.state_dict().items()}
    return weights | {f"state/{name}": tensor for name, tensor in optimiser.state.items()}


def save(folder: Path, model: Qwen2, optimiser: Optimiser, progress: Progress) -> None:
    """Write beside the old checkpoint, then put it in its place."""
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    shards = split_shards(all_tensors(model, optimiser), SHARD_BYTES - 100_000)
    for number, shard in enumerate(shards):
        content = {name: tensor.contiguous() for name, tensor in shard.items()}
        save_file(content, fresh / f"part-{number:03d}.safetensors")
    (fresh / "progress.json").write_text(json.dumps(asdict(progress)) + "\n", encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)


def read_parts(folder: Path) -> dict[str, Tensor]:
    """All tensors of a checkpoint."""
    tensors: dict[str, Tensor] = {}
    for path in sorted(folder.glob("part-*.safetensors")):
        tensors |= load_file(path)
    return tensors


def load_exported(folder: Path, model: Qwen2) -> None:
    """Fill the network from an exported model folder; bfloat16 widens to the network's type."""
    tensors: dict[str, Tensor] = {}
    for path in sorted(folder.glob("model-*.safetensors")):
        tensors |= load_file(path)
    model.load_state_dict(tensors)


def load_model(folder: Path, model: Qwen2) -> None:
    """Fill the network from a checkpoint."""
    parts = read_parts(folder)
    start = "model/"
    model.load_state_dict(
        {k.removeprefix(start): v for k, v in parts.items() if k.startswith(start)}
    )


def load(folder: Path, model: Qwen2, optimiser: Optimiser) -> Progress:
    """Fill network and optimiser from a checkpoint; a fresh `Progress` where there is none."""
    if not folder.exists():
        return Progress()
    load_model(folder, model)
    parts = read_parts(folder)
    for name, tensor in optimiser.state.items():
        tensor.copy_(parts[f"state/{name}"])
    return Progress(**json.loads((folder / "progress.json").read_text(encoding="utf-8")))

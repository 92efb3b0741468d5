"""Writes a model folder that vLLM and Hugging Face load: weights in shards, tokenizer, sums."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor

from training.model import Qwen2, Shape
from training.tokenizer import END, id_of, tokenizer_config

SHARD_BYTES = 15_000_000


def model_config(shape: Shape, end_id: int) -> dict[str, object]:
    """The content of `config.json` (the field names of Hugging Face's Qwen2)."""
    return {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "vocab_size": shape.vocab,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.intermediate,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "hidden_act": "silu",
        "max_position_embeddings": shape.context,
        "rms_norm_eps": shape.norm_eps,
        "rope_theta": shape.rope_theta,
        "tie_word_embeddings": True,
        "use_sliding_window": False,
        "attention_dropout": 0.0,
        "initializer_range": 0.02,
        "bos_token_id": None,
        "eos_token_id": end_id,
        "pad_token_id": end_id,
        "torch_dtype": "bfloat16",
        "use_cache": True,
    }


def split_shards(tensors: dict[str, Tensor], limit_bytes: int) -> list[dict[str, Tensor]]:
    """Tensors in order, cut into groups of at most `limit_bytes` each (one tensor at least)."""
    shards: list[dict[str, Tensor]] = [{}]
    used = 0
    for name, tensor in tensors.items():
        if shards[-1] and used + tensor.nbytes > limit_bytes:
            shards.append({})
            used = 0
        shards[-1][name] = tensor
        used += tensor.nbytes
    return shards


def write_weights(folder: Path, tensors: dict[str, Tensor]) -> None:
    """Shards named as Hugging Face names them, and their index."""
    shards = split_shards(tensors, SHARD_BYTES - 100_000)
    places: dict[str, str] = {}
    for number, shard in enumerate(shards, start=1):
        name = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        save_file(shard, folder / name, metadata={"format": "pt"})
        (folder / name).chmod(0o644)
        places |= dict.fromkeys(shard, name)
    total = sum(tensor.nbytes for tensor in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": places}
    write_json(folder / "model.safetensors.index.json", index)


def write_json(path: Path, content: object) -> None:
    """Indented JSON with a final line end."""
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def write_checksums(folder: Path) -> None:
    """`checksums.json`: the SHA-256 and size in bytes of each other file of the folder."""
    sums = {
        path.name: {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "bytes": path.stat().st_size,
        }
        for path in sorted(folder.iterdir())
        if path.name not in ("checksums.json", "MODEL_CARD.md")
    }
    write_json(folder / "checksums.json", sums)


def export(model: Qwen2, tokenizer: Tokenizer, folder: Path) -> None:
    """Write the whole model folder, weights in bfloat16; old weight shards there are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("model*.safetensors*"):
        old.unlink()
    end_id = id_of(tokenizer, END)
    write_json(folder / "config.json", model_config(model.shape, end_id))
    write_json(folder / "tokenizer_config.json", tokenizer_config(model.shape.context))
    generation = {"eos_token_id": [end_id], "pad_token_id": end_id, "do_sample": False}
    write_json(folder / "generation_config.json", generation)
    tokenizer.save(str(folder / "tokenizer.json"))
    state = {k: v.to(torch.bfloat16).contiguous() for k, v in model.state_dict().items()}
    write_weights(folder, state)
    write_checksums(folder)

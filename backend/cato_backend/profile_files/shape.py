"""The sizes of a decoder-only transformer, counted from the config.json that comes with it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from cato_backend.errors import ConfigError

_BYTES = 2.0
"""vLLM serves bfloat16 or float16 unless the weights are quantised."""
_TWO_MATRIX_MLPS = ("starcoder2", "gpt_bigcode", "gpt_neox", "gpt2", "phi")
"""Families whose MLP is up and down; the others have a gate too."""


@dataclass(frozen=True, slots=True)
class ModelShape:
    """Parameters by their part in a step."""

    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    body_parameters: int
    """In the layers that every token passes: attention, dense MLPs, routers."""
    expert_parameters: int
    """In all experts of all layers; 0 for a dense model."""
    experts: int
    experts_per_token: int
    head_parameters: int
    """The projection to the vocabulary."""
    embedding_parameters: int
    """Beside it, where the two are not tied; looked up, never read as a whole."""
    weight_bytes: float
    """Bytes of one parameter of a layer."""
    max_model_len: int

    @property
    def parameters(self) -> int:
        """All of them."""
        layers = self.body_parameters + self.expert_parameters
        return layers + self.head_parameters + self.embedding_parameters

    @property
    def memory_bytes(self) -> float:
        """All weights."""
        layers = self.body_parameters + self.expert_parameters
        return layers * self.weight_bytes + _BYTES * (
            self.head_parameters + self.embedding_parameters
        )

    @property
    def kv_bytes_per_token(self) -> int:
        """A key and a value in 16 bits for each layer."""
        return 4 * self.layers * self.kv_heads * self.head_dim

    def bytes_read(self, tokens: float) -> float:
        """Weights that a step of this number of tokens reads.

        Of the experts, those that tokens choose independently, 1 - (1 - k/E)^tokens of them.
        """
        share = 1 - math.pow(1 - self.experts_per_token / max(1, self.experts), tokens)
        layers = self.body_parameters + share * self.expert_parameters
        return layers * self.weight_bytes + _BYTES * self.head_parameters

    @property
    def active_parameters(self) -> float:
        """Those that a token of a prompt is multiplied with; only its last one meets the head."""
        share = self.experts_per_token / max(1, self.experts)
        return self.body_parameters + share * self.expert_parameters


def read_shape(path: Path) -> ModelShape:
    """Return the shape of the model in a folder, or of a config.json.

    Raises ConfigError naming the field that is missing or makes no sense.
    """
    file = path / "config.json" if path.is_dir() else path
    try:
        content = json.loads(file.read_bytes())
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{file}: expected JSON, found {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{file}: expected an object, found {content!r:.80}")
    values = cast("dict[str, Any]", content)
    return _shape(_Fields(str(file), values.get("text_config", values)))


@dataclass(frozen=True, slots=True)
class _Fields:
    """Positive integers of a config.json."""

    file: str
    values: Mapping[str, Any]

    def number(self, *names: str, default: int | None = None) -> int:
        """Return the first of the names that is there. Raises ConfigError."""
        found = next((self.values[n] for n in names if self.values.get(n) is not None), default)
        if isinstance(found, bool) or not isinstance(found, int) or found < 1:
            raise ConfigError.of(f"{self.file}: {names[0]}", found, "a positive integer")
        return found

    def has(self, name: str) -> bool:
        return self.values.get(name) is not None


def _shape(fields: _Fields) -> ModelShape:
    """Count the parameters. Raises ConfigError."""
    if fields.has("kv_lora_rank"):
        raise ConfigError(f"{fields.file}: kv_lora_rank: latent attention has no roofline here")
    hidden = fields.number("hidden_size", "n_embd")
    layers = fields.number("num_hidden_layers", "n_layer")
    heads = fields.number("num_attention_heads", "n_head")
    kv_heads = fields.number("num_key_value_heads", default=heads)
    head_dim = fields.number("head_dim", default=hidden // heads)
    vocabulary = fields.number("vocab_size") * hidden
    attention = 2 * hidden * head_dim * (heads + kv_heads)
    experts, expert = _experts(fields, hidden)
    dense = hidden * experts if experts else _mlp(fields, hidden)
    return ModelShape(
        layers=layers,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        body_parameters=layers * (attention + dense),
        expert_parameters=layers * experts * expert,
        experts=experts,
        experts_per_token=fields.number("num_experts_per_tok", default=1),
        head_parameters=vocabulary,
        embedding_parameters=0 if fields.values.get("tie_word_embeddings", False) else vocabulary,
        weight_bytes=_weight_bytes(fields),
        max_model_len=fields.number("max_position_embeddings", "n_positions"),
    )


def _mlp(fields: _Fields, hidden: int) -> int:
    inner = fields.number("intermediate_size", "n_inner", default=4 * hidden)
    matrices = 2 if fields.values.get("model_type") in _TWO_MATRIX_MLPS else 3
    return matrices * hidden * inner


def _experts(fields: _Fields, hidden: int) -> tuple[int, int]:
    """Return how many experts a layer has, and the parameters of one."""
    if not any(map(fields.has, ("num_experts", "num_local_experts"))):
        return 0, 0
    inner = fields.number("moe_intermediate_size", "intermediate_size")
    return fields.number("num_experts", "num_local_experts"), 3 * hidden * inner


def _weight_bytes(fields: _Fields) -> float:
    found = fields.values.get("quantization_config")
    if not isinstance(found, dict):
        return _BYTES
    quantisation = cast("dict[str, Any]", found)
    if quantisation.get("quant_method") == "fp8":
        return 1.0
    bits = quantisation.get("bits", quantisation.get("w_bit"))
    if bits == 4:
        return 0.5
    if bits == 8:
        return 1.0
    raise ConfigError.of(f"{fields.file}: quantization_config.bits", bits, "4 or 8")

"""The sizes of a decoder-only model that its kernels' times depend on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Shape:
    """One GPU's share of a model, after tensor parallelism."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocabulary: int
    gated: bool = True
    """Whether the feed-forward block has a gate beside its up projection."""
    experts: int = 0
    experts_per_token: int = 0

    @property
    def kv_bytes_per_token(self) -> int:
        """Key and value of all layers in 16 bits."""
        return 2 * 2 * self.layers * self.kv_heads * self.head_dim

    @property
    def projections(self) -> tuple[tuple[int, int], ...]:
        """(n, k) of a layer's dense matrix products."""
        attention = self.heads * self.head_dim
        qkv = attention + 2 * self.kv_heads * self.head_dim
        return ((qkv, self.hidden), (self.hidden, attention), *self._dense_feed_forward())

    def _dense_feed_forward(self) -> tuple[tuple[int, int], ...]:
        up = self.intermediate * (2 if self.gated else 1)
        return () if self.experts else ((up, self.hidden), (self.hidden, self.intermediate))

    @property
    def parameters(self) -> int:
        """Of a dense model, its embedding counted apart from its head."""
        layer = sum(n * k for n, k in self.projections)
        return self.layers * layer + 2 * self.vocabulary * self.hidden

    @property
    def expert_parameters(self) -> int:
        """Of one expert in one layer."""
        return 3 * self.hidden * self.intermediate

    def split(self, ways: int) -> Shape:
        """The share of one of `ways` GPUs under tensor parallelism."""
        return replace(
            self,
            heads=self.heads // ways,
            kv_heads=max(1, self.kv_heads // ways),
            intermediate=self.intermediate // ways,
            vocabulary=self.vocabulary // ways,
        )


def shape_of(config: Mapping[str, Any]) -> Shape:
    """The shape in a Hugging Face config.json."""
    heads = config["num_attention_heads"]
    experts = config.get("num_experts", 0)
    return Shape(
        layers=config["num_hidden_layers"],
        hidden=config["hidden_size"],
        heads=heads,
        kv_heads=config["num_key_value_heads"],
        head_dim=config.get("head_dim") or config["hidden_size"] // heads,
        intermediate=config["moe_intermediate_size" if experts else "intermediate_size"],
        vocabulary=config["vocab_size"],
        gated=config["model_type"] != "starcoder2",
        experts=experts,
        experts_per_token=config.get("num_experts_per_tok", 0),
    )

"""The two sizes that the recipe is run at, and one to try it in seconds."""

from __future__ import annotations

from dataclasses import dataclass

from training.model import Shape


@dataclass(frozen=True, slots=True)
class Preset:
    """Network and batch layout; the network's bfloat16 weights stay below 30 MB."""

    shape: Shape
    batch_tokens: int
    micro_tokens: int
    warmup_steps: int
    device: str


PRESETS = {
    "tiny": Preset(
        Shape(vocab=512, hidden=32, layers=2, heads=4, kv_heads=2, intermediate=48, context=64),
        batch_tokens=256,
        micro_tokens=128,
        warmup_steps=2,
        device="cpu",
    ),
    "cpu": Preset(
        Shape(hidden=256, layers=4, heads=4, kv_heads=2, intermediate=704),
        batch_tokens=8192,
        micro_tokens=2048,
        warmup_steps=30,
        device="cpu",
    ),
    "gpu": Preset(
        Shape(hidden=384, layers=7, heads=6, kv_heads=2, intermediate=1024),
        batch_tokens=131_072,
        micro_tokens=131_072,
        warmup_steps=100,
        device="cuda",
    ),
}

"""Greedy decoding with a key-value cache, for the evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from training.model import Attention, Layer, Qwen2, rotate

Cache = dict[int, tuple[Tensor, Tensor]]


def attend(block: Attention, x: Tensor, cache: Cache, layer: int, model: Qwen2) -> Tensor:
    """`Attention.forward` for the tokens after the cached ones; extends the cache."""
    past = cache[layer][0].shape[2] if layer in cache else 0
    length = x.shape[1]
    cos, sin = model.cos[past : past + length], model.sin[past : past + length]
    shape = block.shape
    q = rotate(block.heads(block.q_proj(x), shape.heads), cos, sin)
    k = rotate(block.heads(block.k_proj(x), shape.kv_heads), cos, sin)
    v = block.heads(block.v_proj(x), shape.kv_heads)
    if layer in cache:
        k, v = torch.cat((cache[layer][0], k), 2), torch.cat((cache[layer][1], v), 2)
    cache[layer] = (k, v)
    repeat = shape.heads // shape.kv_heads
    k, v = k.repeat_interleave(repeat, 1), v.repeat_interleave(repeat, 1)
    out = F.scaled_dot_product_attention(q, k, v, is_causal=past == 0)
    mixed: Tensor = block.o_proj(out.transpose(1, 2).reshape(x.shape))
    return mixed


def next_logits(model: Qwen2, tokens: Sequence[int], cache: Cache) -> Tensor:
    """Logits (vocab,) after `tokens`, which follow the cached ones; one token once it is filled."""
    x = model.model.embed_tokens(torch.tensor([tokens]))
    for number, layer in enumerate(model.model.layers):
        assert isinstance(layer, Layer)
        x = x + attend(layer.self_attn, layer.input_layernorm(x), cache, number, model)
        x = x + layer.mlp(layer.post_attention_layernorm(x))
    return F.linear(model.model.norm(x[0, -1]), model.model.embed_tokens.weight)


@torch.no_grad()
def greedy(model: Qwen2, prompt: Sequence[int]) -> Iterator[int]:
    """The most likely continuation, token by token, up to the network's context."""
    cache: Cache = {}
    tokens = list(prompt)
    for _ in range(model.shape.context - len(prompt)):
        token = int(next_logits(model, tokens, cache).argmax())
        yield token
        tokens = [token]

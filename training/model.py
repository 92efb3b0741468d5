"""Qwen2 in plain PyTorch; its parameters carry the names that Hugging Face and vLLM load.

Architecture: Qwen2 technical report, arXiv 2407.10671 (pre-norm RMSNorm, rotary positions,
grouped-query attention with biases on q, k and v, SwiGLU, tied embeddings).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of one network; `head_dim` is `hidden / heads`, `context` is in tokens."""

    vocab: int = 8192
    hidden: int = 256
    layers: int = 6
    heads: int = 4
    kv_heads: int = 2
    intermediate: int = 704
    context: int = 2048
    rope_theta: float = 10_000.0
    norm_eps: float = 1e-6

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.hidden // self.heads


class RMSNorm(nn.Module):
    """Root-mean-square normalisation (arXiv 1910.07467)."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., width), same shape out."""
        return F.rms_norm(x, self.weight.shape, self.weight.to(x.dtype), self.eps)


def rotary_table(shape: Shape, length: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines, each (length, head_dim), in the half-split layout of Hugging Face."""
    steps = torch.arange(0, shape.head_dim, 2, dtype=torch.float32) / shape.head_dim
    angles = torch.outer(torch.arange(length, dtype=torch.float32), shape.rope_theta**-steps)
    angles = torch.cat((angles, angles), dim=-1)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Apply rotary positions (arXiv 2104.09864) to x of shape (batch, heads, length, head_dim)."""
    half = x.shape[-1] // 2
    turned = torch.cat((-x[..., half:], x[..., :half]), dim=-1)
    return x * cos.to(x.dtype) + turned * sin.to(x.dtype)


class Attention(nn.Module):
    """Causal grouped-query attention."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        kv_width = shape.kv_heads * shape.head_dim
        self.q_proj = nn.Linear(shape.hidden, shape.hidden)
        self.k_proj = nn.Linear(shape.hidden, kv_width)
        self.v_proj = nn.Linear(shape.hidden, kv_width)
        self.o_proj = nn.Linear(shape.hidden, shape.hidden, bias=False)

    def heads(self, x: Tensor, count: int) -> Tensor:
        """(batch, length, count * head_dim) -> (batch, count, length, head_dim)."""
        batch, length, _ = x.shape
        return x.view(batch, length, count, self.shape.head_dim).transpose(1, 2)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """x: (batch, length, hidden), same shape out."""
        q = rotate(self.heads(self.q_proj(x), self.shape.heads), cos, sin)
        k = rotate(self.heads(self.k_proj(x), self.shape.kv_heads), cos, sin)
        v = self.heads(self.v_proj(x), self.shape.kv_heads)
        repeat = self.shape.heads // self.shape.kv_heads
        k, v = k.repeat_interleave(repeat, 1), v.repeat_interleave(repeat, 1)
        out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        mixed: Tensor = self.o_proj(out.transpose(1, 2).reshape(x.shape))
        return mixed


class MLP(nn.Module):
    """SwiGLU (arXiv 2002.05202)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden, shape.intermediate, bias=False)
        self.up_proj = nn.Linear(shape.hidden, shape.intermediate, bias=False)
        self.down_proj = nn.Linear(shape.intermediate, shape.hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., hidden), same shape out."""
        out: Tensor = self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))
        return out


class Layer(nn.Module):
    """One pre-norm block."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(shape.hidden, shape.norm_eps)
        self.self_attn = Attention(shape)
        self.post_attention_layernorm = RMSNorm(shape.hidden, shape.norm_eps)
        self.mlp = MLP(shape)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """x: (batch, length, hidden), same shape out."""
        x = x + self.self_attn(self.input_layernorm(x), cos, sin)
        change: Tensor = self.mlp(self.post_attention_layernorm(x))
        return x + change


class Body(nn.Module):
    """Everything below the output head."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocab, shape.hidden)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.norm = RMSNorm(shape.hidden, shape.norm_eps)

    def forward(self, tokens: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """tokens: (batch, length) -> (batch, length, hidden)."""
        x = self.embed_tokens(tokens)
        for layer in self.layers:
            x = layer(x, cos, sin)
        out: Tensor = self.norm(x)
        return out


class Qwen2(nn.Module):
    """A Qwen2 causal language model whose output head is its embedding table."""

    cos: Tensor
    sin: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.model = Body(shape)
        cos, sin = rotary_table(shape, shape.context)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        self._initialise()

    def _initialise(self) -> None:
        """Normal weights of 1/sqrt(fan in); what feeds the residual stream starts at zero."""
        for name, parameter in self.named_parameters():
            if name.endswith(("o_proj.weight", "down_proj.weight", "bias")):
                nn.init.zeros_(parameter)
            elif "embed_tokens" in name:
                nn.init.normal_(parameter, std=0.02)
            elif parameter.dim() == 2:
                nn.init.normal_(parameter, std=1 / math.sqrt(parameter.shape[1]))

    def hidden(self, tokens: Tensor) -> Tensor:
        """tokens: (batch, length) -> final hidden states (batch, length, hidden)."""
        length = tokens.shape[1]
        states: Tensor = self.model(tokens, self.cos[:length], self.sin[:length])
        return states

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens: (batch, length) -> logits (batch, length, vocab)."""
        return F.linear(self.hidden(tokens), self.model.embed_tokens.weight)

    def loss(self, tokens: Tensor, targets: Tensor, ignore: int) -> Tensor:
        """Mean cross-entropy in nats; positions whose target is `ignore` do not count."""
        logits = self(tokens).float().flatten(0, 1)
        return F.cross_entropy(logits, targets.flatten(), ignore_index=ignore)

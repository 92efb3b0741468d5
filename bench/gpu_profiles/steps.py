"""How long one engine step takes, composed from the times of its kernels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.gpu_profiles.shapes import Shape
from bench.gpu_profiles.tables import Floats, KernelTables


@dataclass(frozen=True, slots=True)
class Step:
    """A batch: `decodes` sequences with `context` tokens each, and prefill chunks."""

    decodes: int = 0
    context: int = 0
    chunks: int = 0
    chunk: int = 0
    """New tokens of each chunk."""
    cached: int = 0
    """Tokens of each chunk's sequence that were there before."""

    @property
    def new_tokens(self) -> int:
        """The step law's N."""
        return self.decodes + self.chunks * self.chunk

    @property
    def sequences(self) -> int:
        """The step law's S."""
        return self.decodes + self.chunks

    @property
    def kv_tokens(self) -> int:
        """The step law's K: every context at the end of the step."""
        return self.decodes * (self.context + 1) + self.chunks * (self.cached + self.chunk)

    @property
    def attention(self) -> float:
        """The step law's A."""
        return self.chunks * self.chunk * (self.cached + self.chunk / 2)


@dataclass(frozen=True, slots=True)
class Overheads:
    """What no kernel table holds; calibrated, the same for every model and GPU."""

    step_s: float = 0.0
    """Scheduling, preparing the batch, sampling, taking the result."""
    sequence_s: float = 0.0
    """The same, for each sequence of the batch."""
    layer_s: float = 0.0
    """Norms, rotary embedding, activation, writing the KV cache: their launches."""
    bandwidth_share: float = 0.85
    """Of the memory's bandwidth that a kernel reaches at most. Kernels are measured again and again
    on the same data, which then lies in the L2 cache; in a model it never does."""
    flops_share: float = 0.65
    """Of the peak that products reach at most: a busy GPU lowers its clock to keep its power."""


@dataclass(frozen=True, slots=True)
class Machine:
    """One GPU with what is known of it."""

    tables: KernelTables
    bandwidth: float
    """Bytes per second."""
    flops: float
    """Peak of dense products, per second."""
    weight_bytes: float = 2.0
    """Per parameter of a dense layer."""
    ways: int = 1
    """Tensor parallel GPUs; more than one only where a check needs it."""
    reduce_s: float = 0.0
    """One all-reduce, at least."""
    link: float = 350e9
    """Bytes per second that an all-reduce moves between GPUs."""


def step_seconds(steps: Sequence[Step], whole: Shape, machine: Machine, over: Overheads) -> Floats:
    """Duration of each step in seconds."""
    shape = whole.split(machine.ways)
    tokens = np.array([float(step.new_tokens) for step in steps])
    sequences = np.array([float(step.sequences) for step in steps])
    layer = (
        _products(tokens, shape, machine, over)
        + _experts(tokens, shape, machine, over)
        + _attention(steps, shape, machine, over)
        + _small_kernels(tokens, shape, machine, over)
        + _reductions(tokens, shape, machine)
    )
    head = _product(sequences, shape.vocabulary, shape.hidden, machine, over)
    outside = over.step_s + over.sequence_s * sequences + head
    return np.asarray(shape.layers * layer + outside)


def _products(tokens: Floats, shape: Shape, machine: Machine, over: Overheads) -> Floats:
    times = [_product(tokens, n, k, machine, over) for n, k in shape.projections]
    return np.asarray(np.sum(times, axis=0))


def _product(m: Floats, n: int, k: int, machine: Machine, over: Overheads) -> Floats:
    reading = machine.weight_bytes * n * k / (machine.bandwidth * over.bandwidth_share)
    computing = 2 * m * n * k / (machine.flops * over.flops_share)
    return np.asarray(np.maximum(machine.tables.gemm(m, n, k), np.maximum(reading, computing)))


def _experts(tokens: Floats, shape: Shape, machine: Machine, over: Overheads) -> Floats:
    """Roofline: the weights of every expert that some token chose, and the products."""
    if not shape.experts:
        return np.zeros_like(tokens)
    missed = (1 - shape.experts_per_token / shape.experts) ** tokens
    read = shape.experts * (1 - missed) * shape.expert_parameters * machine.weight_bytes
    work = 2 * tokens * shape.experts_per_token * shape.expert_parameters
    reading = read / (machine.bandwidth * over.bandwidth_share)
    return np.asarray(np.maximum(reading, work / (machine.flops * EXPERTS_FLOPS_SHARE)))


EXPERTS_FLOPS_SHARE = 0.4
"""Of the peak that grouped products of a few hundred rows reach."""


def _attention(steps: Sequence[Step], shape: Shape, machine: Machine, over: Overheads) -> Floats:
    return np.asarray(_decoding(steps, shape, machine, over) + _prefilling(steps, shape, machine))


def _decoding(steps: Sequence[Step], shape: Shape, machine: Machine, over: Overheads) -> Floats:
    sequences = np.array([float(step.decodes) for step in steps])
    context = np.array([float(step.context + 1) for step in steps])
    kv_bytes = 4 * shape.kv_heads * shape.head_dim * sequences * context
    reading = kv_bytes / (machine.bandwidth * over.bandwidth_share)
    measured = machine.tables.decode_attention(
        np.maximum(sequences, 1), context, shape.heads, shape.kv_heads
    )
    return np.asarray(np.where(sequences > 0, np.maximum(measured, reading), 0))


def _prefilling(steps: Sequence[Step], shape: Shape, machine: Machine) -> Floats:
    """A chunk behind a cached context takes what the whole takes beyond its beginning."""

    def prompt(length: Floats) -> Floats:
        at_least_one = np.maximum(length, 1)
        return machine.tables.prefill_attention(at_least_one, shape.heads, shape.kv_heads)

    chunks = np.array([float(step.chunks) for step in steps])
    chunk = np.array([float(step.chunk) for step in steps])
    cached = np.array([float(step.cached) for step in steps])
    behind = prompt(cached + chunk) - np.where(cached > 0, prompt(cached), 0)
    return np.asarray(chunks * np.maximum(prompt(chunk), behind))


def _small_kernels(tokens: Floats, shape: Shape, machine: Machine, over: Overheads) -> Floats:
    """Elementwise work: its launches, and its traffic in 16 bits."""
    attention = (shape.heads + 2 * shape.kv_heads) * shape.head_dim
    active = shape.intermediate * max(1, shape.experts_per_token)
    values = 8 * shape.hidden + 4 * attention + 3 * active
    return np.asarray(
        over.layer_s + 2 * values * tokens / (machine.bandwidth * over.bandwidth_share)
    )


def _reductions(tokens: Floats, shape: Shape, machine: Machine) -> Floats:
    if machine.ways == 1:
        return np.zeros_like(tokens)
    sent = 2 * (machine.ways - 1) / machine.ways * 2 * shape.hidden * tokens
    return np.asarray(2 * (machine.reduce_s + sent / machine.link))

"""Muon for the matrices inside the network, Adam for embeddings, norms and biases.

Muon: K. Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks" (momentum,
made orthogonal by five Newton-Schulz steps). Adam: arXiv 1412.6980.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

MOMENTUM = 0.95
BETAS = (0.9, 0.95)
EPSILON = 1e-10
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


def has_bfloat16(device: str) -> bool:
    """Whether the device multiplies bfloat16 matrices in hardware."""
    return device != "cpu" or bool(torch.cpu.get_capabilities().get("avx512_bf16"))


def orthogonalised(gradient: Tensor) -> Tensor:
    """The nearest semi-orthogonal matrix to a 2-D tensor, approximately.

    In bfloat16 where the hardware has it: it is enough for this, and without it far slower.
    """
    a, b, c = NEWTON_SCHULZ
    x: Tensor = gradient.bfloat16() if has_bfloat16(gradient.device.type) else gradient
    wide = x.shape[0] <= x.shape[1]
    x = x if wide else x.T
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    found: Tensor = x if wide else x.T
    return found.to(gradient.dtype)


class Optimiser:
    """Both optimisers over one model; `state` is a flat dictionary of tensors."""

    def __init__(self, model: nn.Module, muon_rate: float, adam_rate: float) -> None:
        self._parameters = dict(model.named_parameters())
        self._rates = {True: muon_rate, False: adam_rate}
        self.state: dict[str, Tensor] = {}
        for name, parameter in self._parameters.items():
            self.state[f"{name}.first"] = torch.zeros_like(parameter)
            if not self._is_matrix(name):
                self.state[f"{name}.second"] = torch.zeros_like(parameter)

    def _is_matrix(self, name: str) -> bool:
        return self._parameters[name].dim() == 2 and "embed_tokens" not in name

    @torch.no_grad()
    def step(self, number: int, scale: float) -> None:
        """Apply the gradients; `number` counts from 1, `scale` multiplies both learning rates."""
        for name, parameter in self._parameters.items():
            matrix = self._is_matrix(name)
            change = self._muon(name) if matrix else self._adam(name, number)
            parameter.add_(change, alpha=-scale * self._rates[matrix])
            parameter.grad = None

    def _muon(self, name: str) -> Tensor:
        gradient = self._parameters[name].grad
        assert gradient is not None
        momentum = self.state[f"{name}.first"].lerp_(gradient, 1 - MOMENTUM)
        change = orthogonalised(gradient.lerp(momentum, MOMENTUM))
        return change * math.sqrt(max(1.0, change.shape[0] / change.shape[1]))

    def _adam(self, name: str, number: int) -> Tensor:
        gradient = self._parameters[name].grad
        assert gradient is not None
        first = self.state[f"{name}.first"].lerp_(gradient, 1 - BETAS[0])
        second = self.state[f"{name}.second"].lerp_(gradient.square(), 1 - BETAS[1])
        mean: Tensor = first / (1 - BETAS[0] ** number)
        return mean / ((second / (1 - BETAS[1] ** number)).sqrt() + EPSILON)

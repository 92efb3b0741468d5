"""Models that suit a GPU, and the check whether a folder holds a model."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cato_backend.engines.nvml import Gpu
from cato_backend.engines.pip import clean_environment
from cato_backend.errors import EngineError
from cato_backend.profile_files.hardware import model_key

HUB_TIMEOUT_S = 10.0
CONTEXT_TOKENS = 32_768
"""What all of the family were trained for, and what vLLM insists on being able to hold once."""
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "tekken.json")
"""Files that tokenizers are made of, whatever their kind."""
OVERHEAD_BYTES = 2_000_000_000
"""Activations, CUDA graphs and the libraries themselves."""


@dataclass(frozen=True, slots=True)
class HubModel:
    """A model on the hub, in bfloat16."""

    name: str
    parameters: int
    kv_bytes_per_token: int
    """2 (key, value) x layers x key-value heads x head size x 2 bytes, by its configuration."""

    @property
    def bytes_needed(self) -> int:
        """Weights, one full context and the overhead."""
        return self.parameters * 2 + self.kv_bytes_per_token * CONTEXT_TOKENS + OVERHEAD_BYTES


# Without the 3B, whose licence forbids commercial use; the others are Apache-2.0.
QWEN_CODERS = (
    HubModel("Qwen/Qwen2.5-Coder-32B", 32_760_000_000, 262_144),
    HubModel("Qwen/Qwen2.5-Coder-14B", 14_770_000_000, 196_608),
    HubModel("Qwen/Qwen2.5-Coder-7B", 7_620_000_000, 57_344),
    HubModel("Qwen/Qwen2.5-Coder-1.5B", 1_540_000_000, 28_672),
    HubModel("Qwen/Qwen2.5-Coder-0.5B", 490_000_000, 12_288),
)
"""The largest first."""


def largest_qwen_coder_that_fits(memory: int) -> HubModel | None:
    """Return the largest of the family that `memory` bytes of one GPU can serve, or None."""
    return next((model for model in QWEN_CODERS if model.bytes_needed <= memory), None)


def memory_needed(path: str) -> int | None:
    """Return the bytes of GPU memory without which a model does not load.

    By the table for a Qwen2.5-Coder, by its files for a folder; None where it is not known.
    """
    known = {model_key(model.name): model for model in QWEN_CODERS}.get(model_key(path))
    folder = Path(path).expanduser()
    weights = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    if weights:
        return weights + OVERHEAD_BYTES
    return None if known is None else known.parameters * 2 + OVERHEAD_BYTES


def choose_hub_model(gpus: Sequence[Gpu], hub_has: Callable[[str], bool]) -> tuple[str | None, str]:
    """Return the largest that fits the GPU with the most memory, if a hub has it, else None.

    And why, for a person.
    """
    if not gpus:
        return None, "no NVIDIA GPU was found"
    gpu = max(gpus, key=lambda each: each.usable)
    room = f"GPU {gpu.index} ({gpu.name}, {gpu.usable / 1e9:.0f} GB usable)"
    fitting = largest_qwen_coder_that_fits(gpu.usable)
    if fitting is None:
        return None, f"{room} is too small for any Qwen2.5-Coder"
    if not hub_has(fitting.name):
        return None, f"no model hub answered for {fitting.name}"
    return fitting.name, f"the largest Qwen2.5-Coder for {room}"


def hub_has(python: Path, name: str, timeout_s: float = HUB_TIMEOUT_S) -> bool:
    """Return whether the model hub answers and has `name`, by the engine's hub client."""
    code = "import sys; from huggingface_hub import HfApi; HfApi().model_info(sys.argv[1])"
    try:
        done = subprocess.run(
            [str(python), "-c", code, name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=timeout_s,
            env=clean_environment(),
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def check_model(path: str, arguments: Sequence[str] = ()) -> None:
    """Check a folder that `path` may mean.

    Raises EngineError, naming it, where it holds no model, or one without a tokenizer. `arguments`:
    the engine's, which may name the tokenizer.
    """
    if not path.startswith(("/", ".", "~")):
        return
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise EngineError(f"model {path}: there is no such folder")
    if not (folder / "config.json").is_file():
        raise EngineError(f"model {path}: the folder holds no config.json, so it is no model")
    names_one = any(argument.partition("=")[0] == "--tokenizer" for argument in arguments)
    if not names_one and not any((folder / name).is_file() for name in _TOKENIZERS):
        raise EngineError(
            f"model {path}: the folder holds no tokenizer; expected one of "
            f"{', '.join(_TOKENIZERS)}, or --tokenizer among the model's engine_args"
        )

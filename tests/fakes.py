"""Emulated replicas at fixed times, whose requests are recorded."""

from __future__ import annotations

import ssl
import sys

from cato_lab.emulator import Behaviour, Emulator, EmulatorOptions


def fake_vllm(
    behaviour: Behaviour | None = None, *, port: int = 0, tls: ssl.SSLContext | None = None
) -> Emulator:
    """Returns one that runs in this process once it is entered."""
    return Emulator(
        EmulatorOptions(port=port, behaviour=behaviour or Behaviour(), controlled=True, tls=tls)
    )


def fake_vllm_command(ttft_ms: float, itl_ms: float, *arguments: str) -> list[str]:
    """Returns the command of one as a process; its first lines are its URL and its control URL."""
    return [
        *(sys.executable, "-m", "cato_backend", "emulate", "--port", "0", "--control"),
        *("--model", Behaviour().model, "--max-model-len", str(Behaviour().max_model_len)),
        *("--ttft-ms", str(ttft_ms), "--itl-ms", str(itl_ms), *arguments),
    ]

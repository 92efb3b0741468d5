"""A fake that behaves: an HTTP server that speaks as vLLM 0.32 does, at scripted speed.

    async with FakeVllm(Script(ttft_ms=5, itl_ms=2)) as fake:
        ...                            # talk to fake.url
        await fake.wait_until(lambda state: state.aborted == 1)

`python -m tests.fakes.vllm --itl-ms 20` runs it as a process of its own; `POST /fake/script`
changes its behaviour and `GET /fake/state` tells what it saw.
"""

from cato_lab.emulator.tokenizer import Tokenizer
from tests.fakes.vllm.script import ErrorForm, Fault, FaultKind, Script
from tests.fakes.vllm.server import FakeVllm
from tests.fakes.vllm.state import Recorded, State

__all__ = [
    "ErrorForm",
    "FakeVllm",
    "Fault",
    "FaultKind",
    "Recorded",
    "Script",
    "State",
    "Tokenizer",
]

"""A process that behaves as vLLM 0.32 over HTTP, without a model.

The times come from one of two sources: a latency profile, by the engine model, or fixed times.
Faults and other odd behaviours can be given and changed while it runs. See `Emulator`.
"""

from cato_lab.emulator.behaviour import Behaviour
from cato_lab.emulator.engine import EmulatorOptions
from cato_lab.emulator.faults import ErrorForm, Fault, FaultKind
from cato_lab.emulator.server import Emulator
from cato_lab.emulator.state import EmulatorState, RecordedRequest

__all__ = [
    "Behaviour",
    "Emulator",
    "EmulatorOptions",
    "EmulatorState",
    "ErrorForm",
    "Fault",
    "FaultKind",
    "RecordedRequest",
]

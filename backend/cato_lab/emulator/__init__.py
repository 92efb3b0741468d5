"""The engine model over HTTP: a process that speaks vLLM's protocol and keeps a profile's times."""

from cato_lab.emulator.server import Emulator, EmulatorOptions

__all__ = ["Emulator", "EmulatorOptions"]

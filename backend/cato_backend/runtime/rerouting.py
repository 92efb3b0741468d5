"""Calls that are made again: for another model, or for a replica with a larger context."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from cato_backend.runtime.calls import Call, Sink
from cato_backend.runtime.in_flight import CallOutdated
from cato_backend.runtime.runtime import Runtime
from cato_backend.wire.headers import CancelReason

Remake = Callable[[int], Awaitable[Call]]
"""The call for the fleet as it is now, given the tokens of context that it has proved to need."""


async def run_call(call: Call, remake: Remake, runtime: Runtime, sink: Sink) -> CancelReason | None:
    """Serve the call into `sink`; why the client ended it, where it did so by name.

    Raises RequestError. Requests for the alias follow it to another model, and a prompt that proved
    too long for one replica goes to one with a larger context.
    """
    while True:
        try:
            return await runtime.run(call, sink)
        except CallOutdated as outdated:
            made = await remake(outdated.least_context)
            # What it superseded is gone; what has come since then is newer.
            request = replace(made.request, supersede=False, warm=call.request.warm)
            call = replace(made, request=request, group=call.group)

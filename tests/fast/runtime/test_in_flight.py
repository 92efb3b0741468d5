"""Interrupting the attempt of a request, at any moment of its end."""

from __future__ import annotations

import asyncio

import pytest

from cato_backend.runtime.in_flight import InFlightRequest, Interrupted, Recalled
from tests.fast.runtime.test_bodies import PROMPT, call


def in_flight() -> InFlightRequest:
    return InFlightRequest(call({**PROMPT, "stream": True}))


async def recalled_then_aborted(flight: InFlightRequest) -> None:
    async with flight.attempt(1):
        asyncio.get_running_loop().call_soon(flight.recall, 1)
        try:
            await asyncio.Event().wait()
        finally:
            flight.abort(1)
            flight.recall(1)


async def recalled(flight: InFlightRequest) -> None:
    async with flight.attempt(1):
        flight.recall(1)
        await asyncio.Event().wait()


async def begun(flight: InFlightRequest) -> None:
    async with flight.attempt(1):
        pytest.fail("it has begun")


async def test_an_attempt_that_is_recalled_may_be_aborted_while_it_unwinds() -> None:
    """Between the two the attempt closes its connection, which takes turns of the loop."""
    with pytest.raises(Interrupted):
        await recalled_then_aborted(in_flight())


async def test_an_attempt_that_is_aborted_before_it_begins_does_not_begin() -> None:
    flight = in_flight()
    flight.abort(1)
    with pytest.raises(Interrupted):
        await begun(flight)


async def test_the_next_attempt_is_another_one() -> None:
    flight = in_flight()
    with pytest.raises(Recalled):
        await recalled(flight)
    async with flight.attempt(2):
        await asyncio.sleep(0)

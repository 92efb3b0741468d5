"""Emulators of the reference law, forty times as fast."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, TypeAlias

import aiohttp
import pytest

from cato_backend.profile_files.profile import EngineLimits, Profile, StepLaw
from cato_lab.emulator import Emulator, EmulatorOptions

LAW = StepLaw("additive", base=0.020, per_new_token=0.0001)
SPEED = 40.0
Starting: TypeAlias = Callable[..., Awaitable[Emulator]]


@pytest.fixture
async def start() -> AsyncIterator[Starting]:
    """Starts an emulator with these limits, and options by name; it ends with the test."""
    async with AsyncExitStack() as stack:

        async def started(limits: EngineLimits | None = None, **options: Any) -> Emulator:
            profile = Profile("cato-emulated", "emulated", LAW, limits or EngineLimits())
            emulated = replace(EmulatorOptions(profile, speed=SPEED), **options)
            return await stack.enter_async_context(Emulator(emulated))

        yield started


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session

"""The reference replica: round numbers, in which the figures of other routers were published."""

from __future__ import annotations

from cato_backend.profile_files.profile import EngineLimits, Profile, StepLaw

REFERENCE = Profile(
    model="reference",
    hardware="emulated",
    law=StepLaw(form="additive", base=0.020, per_new_token=0.0001),
    limits=EngineLimits(),
)
"""20 ms a step and 0.1 ms for each new token in it."""

"""What is known of a replica before it is asked."""

from __future__ import annotations

from dataclasses import dataclass

from cato_backend.profile_files.hardware import model_key
from cato_backend.profile_files.profile import EngineLimits, Profile
from cato_backend.tasks.detection import AUTO


@dataclass(frozen=True, slots=True)
class Expected:
    """What is known of a replica before it is asked."""

    max_running: int
    """Requests that it is given at once."""
    family: str = AUTO
    """Its model's fill-in-the-middle family."""
    profile: Profile | None = None
    hardware: str = ""
    """As profiles name it, where that is known."""
    place: str = ""
    """Hardware and engine flags, where it is started here."""
    limits: EngineLimits | None = None
    """What its engine was started with, where that is known."""
    instruct: bool | None = None
    """Whether its model follows instructions, where the configuration says so."""
    gpus: float = 1.0
    """How many GPUs are set aside for it: less than one where several replicas share one."""


def fitting(expected: Expected, model: str) -> tuple[Profile | None, str]:
    """Return the expected profile, or None and a complaint where it is another model's.

    That of a replica that is started here was chosen by its path, whatever name it is served under.
    """
    profile = expected.profile
    if profile is None or expected.place or model_key(profile.model) == model_key(model):
        return profile, ""
    return None, f"; its profile is of {profile.model}, not {model}: not used"

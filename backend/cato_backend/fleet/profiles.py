"""Which latency profile belongs to which replica."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cato_backend.config import EMBEDDED, Config, ModelConfig, ReplicaConfig
from cato_backend.profile_files.files import profile_for, read_profile_file
from cato_backend.profile_files.profile import EngineLimits, Profile

CPU = "cpu-local"
"""The hardware of engines without a GPU; profiles of any CPU do for it."""
_EMBEDDED_NAME = "cato-embedded"


def local_profile(config: Config, model: ModelConfig, hardware: str) -> Profile | None:
    """Of a replica that is started here: the file that the configuration names, else the best that
    is known of model and hardware. Raises ConfigError for a bad file, or one of another model."""
    name = _EMBEDDED_NAME if model.path == EMBEDDED else model.path
    file = model.profile or config.scheduling.profile
    return _read(file, name) if file else profile_for(name, hardware)


def static_profile(config: Config, replica: ReplicaConfig) -> Profile | None:
    """Of a server that runs elsewhere: only what the configuration names. Raises ConfigError."""
    file = replica.profile or config.scheduling.profile
    return _read(file, replica.model or None) if file else None


def with_limits(profile: Profile | None, limits: EngineLimits) -> Profile | None:
    """The profile of an engine that was started with these, whatever it was measured with."""
    return None if profile is None else replace(profile, limits=limits)


def _read(file: str, model: str | None) -> Profile:
    return read_profile_file(Path(file).expanduser(), model).profile()

"""Chooses the latency profiles for `cato plan`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cato_backend.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from cato_backend.profile_files.document import ProfileFile

DEFAULT_MODEL = "Qwen2.5-Coder-7B"


def profile_file(arguments: argparse.Namespace) -> ProfileFile:
    """Return the one that the arguments choose. Raises ConfigError."""
    from cato_backend.profile_files.files import find_profile_file, read_profile_file

    if arguments.profile is not None:
        return read_profile_file(arguments.profile)
    if arguments.config is not None:
        return _estimated(arguments.config, arguments.gpu, arguments.model)
    model = arguments.model or DEFAULT_MODEL
    path = find_profile_file(arguments.gpu, model)
    if path is None:
        known = [f"{f.hardware} {f.model}" for f in _known(model)]
        expected = f"a GPU and model with a profile ({', '.join(known) or 'none'}), or --config"
        raise ConfigError.of("--gpu, --model", f"{arguments.gpu} {model}", expected)
    return read_profile_file(path, model)


def profile_files(arguments: argparse.Namespace) -> list[ProfileFile]:
    """Return those of every GPU that the model fits on, at least one. Raises ConfigError."""
    if arguments.config is not None:
        return _estimated_everywhere(arguments.config, arguments.model)
    model = arguments.model or DEFAULT_MODEL
    files = _known(model)
    if not files:
        expected = "a model with profiles, or its config.json with --config (docs/profiles.md)"
        raise ConfigError.of("--model", model, expected)
    return files


def _known(model: str) -> list[ProfileFile]:
    from cato_backend.profile_files.files import list_profiles
    from cato_backend.profile_files.hardware import model_key

    return [file for file in list_profiles() if model_key(file.model) == model_key(model)]


def _estimated(config: Path, gpu: str, model: str | None) -> ProfileFile:
    from cato_backend.profile_files.roofline import from_config

    name = model or config.resolve().parent.name
    return from_config(config, gpu, name, date=datetime.now(UTC).date().isoformat())


def _estimated_everywhere(config: Path, model: str | None) -> list[ProfileFile]:
    from cato_backend.profile_files.hardware import gpu_kinds
    from cato_backend.profile_files.shape import read_shape

    read_shape(config)  # What is wrong with the file is said once, not taken for a GPU too small.

    def fitting() -> Iterator[ProfileFile]:
        for gpu in gpu_kinds():
            with suppress(ConfigError):
                yield _estimated(config, gpu.name, model)

    found = list(fitting())
    if not found:
        raise ConfigError(f"{config}: the model fits on no single GPU that is known")
    return found

"""Profile files: read, checked, found by hardware and model, written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from cato_backend.errors import ConfigError
from cato_backend.profile_files.document import SCHEMA, ProfileFile
from cato_backend.profile_files.hardware import file_name, model_key
from cato_backend.profile_files.profile import Profile
from cato_backend.wire.state_files import state_dir

_PACKAGE = Path(__file__).parent
_CPU = "cpu-"


def load_profile(path: Path) -> Profile:
    """Return the profile in the file.

    Raises ConfigError naming file, field, what was found and wanted.
    """
    return read_profile_file(path).profile()


def read_profile_file(path: Path, model: str | None = None) -> ProfileFile:
    """Return the whole file, with where it comes from.

    Raises ConfigError, also where it is of another model than `model`.
    """
    file = _checked(path, _json(path))
    if model is not None and model_key(file.model) != model_key(model):
        raise ConfigError.of(f"{path}: model", file.model, f"a profile of {model}")
    return file


def save_profile(file: ProfileFile, path: Path) -> None:
    """Write the file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(file.model_dump_json(indent=2) + "\n", encoding="utf-8")


def path_in(folder: Path, hardware: str, model: str) -> Path:
    """Return where the profile of this hardware and model belongs below `folder`."""
    return folder / hardware / file_name(model)


def user_folder() -> Path:
    """Return where the user's own profiles lie; they go before the shipped ones."""
    return state_dir() / "profiles"


def shipped_folder() -> Path:
    """Return the folder of the shipped profiles, in an installed package or a checkout."""
    installed = _PACKAGE / "shipped"
    return installed if installed.is_dir() else _PACKAGE.parents[2] / "profiles"


def find_profile_file(hardware: str, model: str) -> Path | None:
    """Return the file for this hardware and model, or None. The user's own takes precedence."""
    for folder in (user_folder(), shipped_folder()):
        for path in sorted((folder / hardware).glob("*.json")):
            if model_key(path.stem) == model_key(model):
                return path
    return None


def find_profile(hardware: str, model: str) -> Profile | None:
    """Return the profile for this hardware and model, or None where there is no file.

    Raises ConfigError where there is one that cannot be used.
    """
    path = find_profile_file(hardware, model)
    return None if path is None else read_profile_file(path, model).profile()


def profile_for(model: str, hardware: str) -> Profile | None:
    """Return the best that is known of a replica.

    Its own hardware's profile, for a CPU else that of any CPU (what is learned online corrects it),
    else None. Raises ConfigError for a bad file.
    """
    found = find_profile(hardware, model)
    if found is None and hardware.startswith(_CPU):
        others = (find_profile(other, model) for other in _hardware_names(_CPU))
        found = next((profile for profile in others if profile is not None), None)
    return found


def list_profiles() -> Iterator[ProfileFile]:
    """Yield every profile of the user's and the shipped folder.

    Raises ConfigError for a bad file.
    """
    for folder in (user_folder(), shipped_folder()):
        for path in sorted(folder.glob("*/*.json")):
            yield read_profile_file(path)


def _hardware_names(start: str) -> list[str]:
    folders = (user_folder(), shipped_folder())
    return sorted({path.name for folder in folders for path in folder.glob(f"{start}*")})


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ConfigError(f"{path}: not JSON from {place} on; is the file whole?") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not JSON, nor any text") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected an object, found {content!r:.80}")
    return cast("dict[str, Any]", content)


def _checked(path: Path, content: dict[str, Any]) -> ProfileFile:
    schema = content.get("schema_version")
    if schema != SCHEMA:
        expected = f"{SCHEMA}: run `cato profile` again, it writes that"
        raise ConfigError.of(f"{path}: schema_version", schema, expected)
    try:
        return ProfileFile.model_validate(content)
    except ValidationError as error:
        raise _named(path, error) from error


def _named(path: Path, error: ValidationError) -> ConfigError:
    errors = error.errors(include_url=False)
    # A unit in a field's name makes one field unknown and another missing: the unknown one tells.
    # Of the alternatives of a union, the one that went deepest was meant.
    first = max(errors, key=lambda each: (each["type"] == "extra_forbidden", len(each["loc"])))
    field = f"{path}: {'.'.join(str(part) for part in first['loc'])}"
    if first["type"] == "extra_forbidden":
        missing = [str(each["loc"][-1]) for each in errors if each["type"] == "missing"]
        instead = f", and there is no {missing[0]}" if missing else ""
        return ConfigError(
            f"{field}: no such field{instead}; the end of a name is its unit (_s: seconds)"
        )
    if first["type"] == "missing":
        return ConfigError(f"{field}: the field is missing")
    return ConfigError.of(field, first["input"], _expected(first))


def _expected(error: ErrorDetails) -> str:
    """Return what should have stood there; a number of seconds that is too large has a reason."""
    said = error["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    if error["type"] == "less_than_equal" and str(error["loc"][-1]).endswith("_s"):
        return f"{said} seconds: is it in another unit?"
    return said

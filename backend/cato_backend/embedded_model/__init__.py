"""The small code model that ships with the package: the paths of its files, and their checksums.

The files are in `weights/`; `weights/MODEL_CARD.md` says what the model is and how it was made.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, cast

from cato_backend.errors import DamagedModel

WEIGHTS = Path(__file__).parent / "weights"
CHECKSUMS = "checksums.json"


def verified_folder(folder: Path = WEIGHTS) -> Path:
    """Return the model folder to hand to an engine, every file of it checked.

    Reads about 10 MB. Raises DamagedModel naming the first file that is missing or differs, what
    was expected and what was found.
    """
    for name, entry in _checksums(folder / CHECKSUMS).items():
        _check(folder / name, entry)
    return folder


def _checksums(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise DamagedModel(f"{path}: expected the list of checksums, found none") from error
    except ValueError as error:
        raise DamagedModel(f"{path}: expected JSON, found {error}") from error
    if not isinstance(content, dict) or not content:
        raise DamagedModel(f"{path}: expected an object of files, found {content!r:.80}")
    return cast("dict[str, Any]", content)


def _check(path: Path, entry: Any) -> None:
    try:
        size, wanted = int(entry["bytes"]), str(entry["sha256"])
    except (KeyError, TypeError, ValueError) as error:
        message = f"{path.with_name(CHECKSUMS)}: {path.name}: expected bytes and sha256"
        raise DamagedModel(f"{message}, found {entry!r:.80}") from error
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DamagedModel(f"{path}: expected {size} bytes, found no readable file") from error
    if len(content) != size:
        raise DamagedModel(f"{path}: expected {size} bytes, found {len(content)}")
    found = hashlib.sha256(content).hexdigest()
    if found != wanted:
        raise DamagedModel(f"{path}: expected SHA-256 {wanted}, found {found}")

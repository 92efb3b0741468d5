"""What was learned of replicas' step laws, kept in a file between two runs of the backend."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from cato_backend.prediction.kept_law import KeptLaw, is_sound
from cato_backend.wire.paths import state_dir

log = logging.getLogger(__name__)

_MOST = 256
"""Laws; the oldest are dropped."""
_MOST_BYTES = 8 * 1024 * 1024


class LawKey(NamedTuple):
    """Whose law it is."""

    model: str
    """See `model_key`."""
    place: str
    """The URL of a server that runs elsewhere; hardware and engine flags of one started here."""


class StoredLaw(NamedTuple):
    """A law and when it was last learned from, in seconds since the epoch."""

    law: KeptLaw
    learned_at: float


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    place: str
    learned_at: float
    law: KeptLaw


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1]
    laws: tuple[_Record, ...]


def laws_file() -> Path:
    """Return where they are kept."""
    return state_dir() / "laws.json"


def newest(laws: Mapping[LawKey, StoredLaw]) -> dict[LawKey, StoredLaw]:
    """As many as are kept."""
    if len(laws) <= _MOST:
        return dict(laws)
    by_age = sorted(laws.items(), key=lambda item: -item[1].learned_at)
    return dict(by_age[:_MOST])


def read_laws(path: Path) -> dict[LawKey, StoredLaw]:
    """Return the laws in the file: none where there is no file, or one that cannot be used."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"larger than {_MOST_BYTES} bytes")
        document = _Document.model_validate(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, ValidationError) as error:
        log.warning("%s is not used: %s", path, str(error).partition("\n")[0])
        return {}
    return {
        LawKey(each.model, each.place): StoredLaw(each.law, each.learned_at)
        for each in document.laws
        if is_sound(each.law)
    }


def write_laws(path: Path, laws: Mapping[LawKey, StoredLaw]) -> None:
    """Write the file in one step, readable by its owner only. Raises OSError."""
    records = tuple(
        _Record(model=key.model, place=key.place, learned_at=stored.learned_at, law=stored.law)
        for key, stored in laws.items()
    )
    document = _Document(schema_version=1, laws=records)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(document.model_dump_json())
    draft.replace(path)

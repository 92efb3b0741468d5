"""The file with learned step laws of replicas, which a start reads and a running backend writes."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cato_backend.prediction.kept_law import KeptLaw, is_sound
from cato_backend.wire.state_files import state_dir, write_private

log = logging.getLogger(__name__)

_MOST = 256
"""Laws; the oldest are dropped."""
_MOST_BYTES = 8 * 1024 * 1024


class LawKey(NamedTuple):
    """The replica that a law belongs to."""

    model: str
    """See `model_key`."""
    place: str
    """The URL of a server that runs elsewhere; hardware and engine flags of one started here."""


class StoredLaw(NamedTuple):
    """A law and when it was last learned from, in seconds since the epoch."""

    law: KeptLaw
    learned_at: float
    waited: float | None = None
    """Share of the time of its engine's busiest thread meanwhile, from 0 to 1, in which that had no
    core; None where it is not known. A law has these waits in it."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    place: str
    learned_at: float
    law: KeptLaw
    waited: float | None = Field(default=None, ge=0, le=1)


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
        LawKey(each.model, each.place): StoredLaw(each.law, each.learned_at, each.waited)
        for each in document.laws
        if is_sound(each.law)
    }


def write_laws(path: Path, laws: Mapping[LawKey, StoredLaw]) -> None:
    """Write the file in one step, readable by its owner only. Raises OSError."""
    records = tuple(
        _Record(model=key.model, place=key.place, **stored._asdict())
        for key, stored in laws.items()
    )
    document = _Document(schema_version=1, laws=records)
    write_private(path, document.model_dump_json())

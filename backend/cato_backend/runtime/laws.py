"""Learned step laws of replicas: kept in a file for the next start, and shown in `/metrics`."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, NamedTuple

from prometheus_client import CollectorRegistry, Gauge
from pydantic import BaseModel, ConfigDict, ValidationError

from cato_backend.clock import Clock
from cato_backend.prediction.kept_law import KeptLaw, is_sound
from cato_backend.profile_files.hardware import model_key
from cato_backend.profile_files.profile import StepLaw
from cato_backend.scheduling import ReplicaLoad
from cato_backend.wire.state_files import state_dir, write_private

log = logging.getLogger(__name__)

_MOST = 256
"""Laws; the oldest are dropped."""
_MOST_BYTES = 8 * 1024 * 1024
_SAVE_S = 60.0
"""Between two looks at what is new."""
_TERMS = tuple(field.name for field in fields(StepLaw) if field.name != "form")


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
    write_private(path, document.model_dump_json())


@dataclass(slots=True)
class _Up:
    key: LawKey
    load: ReplicaLoad
    windows: int = 0
    """Windows of its law when it was last stored."""


class LawKeeper:
    """`path` is None: nothing is kept beyond this process. `wall`: seconds since the epoch."""

    def __init__(self, path: Path | None, clock: Clock, wall: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._wall = wall
        self._laws = {} if path is None else read_laws(path)
        self._up: dict[str, _Up] = {}
        self._unsaved = False

    def recall(self, model: str, place: str) -> KeptLaw | None:
        """Return what was learned of such a replica before, with its age."""
        stored = self._laws.get(LawKey(model_key(model), place))
        if stored is None:
            return None
        return stored.law._replace(age_s=max(0.0, self._wall() - stored.learned_at))

    def replica_up(self, load: ReplicaLoad, place: str) -> None:
        """Record that a replica takes requests: what is learned of it is kept from now on."""
        self._up[load.replica_id] = _Up(LawKey(model_key(load.model), place), load)

    def replica_down(self, replica_id: str) -> None:
        """Take no more."""
        up = self._up.pop(replica_id, None)
        if up is not None:
            self._remember(up)

    async def run(self) -> None:
        """Save now and then, until cancelled."""
        while True:
            await asyncio.sleep(_SAVE_S)
            self.save()

    def save(self) -> None:
        """Write the file where there is anything new. A disk that is full costs only the file."""
        for up in self._up.values():
            self._remember(up)
        if self._path is None or not self._unsaved:
            return
        try:
            write_laws(self._path, self._laws)
            self._unsaved = False
        except OSError as error:
            log.warning("what was learned of replicas was not saved: %s", error)

    def _remember(self, up: _Up) -> None:
        """Unless nothing is new, or more is known from another replica of the same kind."""
        learned, stored = up.load.learned, self._laws.get(up.key)
        if learned.windows == up.windows:
            return
        up.windows = learned.windows
        kept = learned.kept(self._clock())
        if stored is None or kept.windows >= stored.law.windows:
            self._laws[up.key] = StoredLaw(kept._replace(age_s=0.0), self._wall() - kept.age_s)
            self._laws = newest(self._laws)
            self._unsaved = True


class LawGauges:
    """Gauges of learned laws, set when `/metrics` is read."""

    def __init__(self, registry: CollectorRegistry) -> None:
        replica = ["replica"]
        self._term = Gauge(
            "cato_law_term_seconds",
            "Terms of a replica's learned step law, in seconds a step or a unit of its load "
            "(docs/profiles.md); overhead: of a first token from an idle replica",
            ["replica", "form", "term"],
            registry=registry,
        )
        self._spread = Gauge(
            "cato_law_spread",
            "Relative standard deviation of the predicted time of a usual step",
            replica,
            registry=registry,
        )
        self._noise = Gauge(
            "cato_law_noise",
            "Relative standard deviation of single steps around the law",
            replica,
            registry=registry,
        )
        self._windows = Gauge(
            "cato_law_windows",
            "Stretches of steps that the law was learned from, those of earlier runs included",
            replica,
            registry=registry,
        )
        self._age = Gauge(
            "cato_law_age_seconds",
            "Since the law was last learned from; absent before the first time",
            replica,
            registry=registry,
        )

    def show(self, loads: Iterable[ReplicaLoad], now: float) -> None:
        """Keep the state of these replicas, and of no others."""
        for gauge in (self._term, self._spread, self._noise, self._windows, self._age):
            gauge.clear()
        for load in loads:
            self._show(load, now)

    def _show(self, load: ReplicaLoad, now: float) -> None:
        name, learned = load.replica_id, load.learned
        belief = learned.belief
        terms = {term: getattr(belief.law, term) for term in _TERMS}
        for term, seconds in (terms | {"overhead": belief.overhead_s}).items():
            self._term.labels(name, belief.law.form, term).set(seconds)
        self._spread.labels(name).set(belief.spread)
        self._noise.labels(name).set(belief.noise)
        self._windows.labels(name).set(learned.all_windows)
        age_s = learned.age_s(now)
        if age_s is not None:
            self._age.labels(name).set(age_s)

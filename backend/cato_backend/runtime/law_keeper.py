"""Keeps what is learned of replicas' laws, and hands it back when such a replica comes up again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cato_backend.clock import Clock
from cato_backend.prediction.kept_law import KeptLaw
from cato_backend.profile_files.hardware import model_key
from cato_backend.runtime.law_store import LawKey, StoredLaw, newest, read_laws, write_laws
from cato_backend.scheduling import ReplicaLoad

log = logging.getLogger(__name__)

_SAVE_S = 60.0
"""Between two looks at what is new."""


@dataclass(slots=True)
class _Up:
    key: LawKey
    load: ReplicaLoad
    windows: int = 0
    """Of its law, when it was last remembered."""


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
        """What was learned of such a replica before, with its age."""
        stored = self._laws.get(LawKey(model_key(model), place))
        if stored is None:
            return None
        return stored.law._replace(age_s=max(0.0, self._wall() - stored.learned_at))

    def replica_up(self, load: ReplicaLoad, place: str) -> None:
        """A replica takes requests: what is learned of it is kept from now on."""
        self._up[load.replica_id] = _Up(LawKey(model_key(load.model), place), load)

    def replica_down(self, replica_id: str) -> None:
        """It takes no more."""
        up = self._up.pop(replica_id, None)
        if up is not None:
            self._remember(up)

    async def run(self) -> None:
        """Saves now and then, until cancelled."""
        while True:
            await asyncio.sleep(_SAVE_S)
            self.save()

    def save(self) -> None:
        """Writes the file where there is anything new. A disk that is full costs only the file."""
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

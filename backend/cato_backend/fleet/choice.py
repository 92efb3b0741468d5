"""Chooses the model to serve where the user names none, by how long its completions take here."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cato_backend.config import EMBEDDED
from cato_backend.engines.environments import EngineKind, find_environment
from cato_backend.engines.gpus import choose_hub_model, hub_has
from cato_backend.engines.nvml import Gpu, detect_gpus
from cato_backend.errors import EngineError
from cato_backend.fleet.profiles import CPU, token_s
from cato_backend.model_store.registry import KnownModel, StoredModel, find_stored, known_models
from cato_backend.prediction.learned_law import LearnedLaw
from cato_backend.profile_files.hardware import model_key
from cato_backend.replicas.core_waits import NOTABLE_SHARE
from cato_backend.runtime.law_file import read_laws

_EMBEDDED_BYTES = 2_500_000_000
"""What an engine with the embedded model takes: nearly all of it is the engine itself."""

Fetch = Callable[[KnownModel], StoredModel]
"""Fetches a model unless it is there. Raises EngineError."""
USABLE_S = 1.5
"""A completion that takes longer comes when the next key was pressed long ago."""
_NEW_TOKENS = 64
"""Of a prompt whose head is in the prefix cache, as it is while a person types."""
_CONTEXT = 500
_OUTPUT_TOKENS = 8


@dataclass(frozen=True, slots=True)
class MeasuredCompletion:
    """What a usual completion takes on this machine, and how that is known.

    A choice that lasts must not go by what else the machine did for a while, so that `seconds` are
    those of the engine alone.
    """

    seconds: float
    waited: float
    """Share of its time in which the engine had no core, from 0 to 1, which `seconds` leave out."""
    at: float
    """Seconds since the epoch."""

    def __str__(self) -> str:
        when = datetime.fromtimestamp(self.at).astimezone().strftime("%Y-%m-%d %H:%M")
        text = f"took {self.seconds:.1f} s here, measured on {when}"
        if self.waited < NOTABLE_SHARE:
            return text
        return f"{text} without the {self.waited:.0%} of the time in which it had no core"


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """The path of a model, and three lines about it for a person.

    `completions`: the path of another model that serves completions; empty where it is the same.
    """

    path: str
    reason: str
    cost: str
    otherwise: str
    completions: str = ""

    @property
    def lines(self) -> tuple[str, str, str]:
        """The choice with its reason and its cost, and how to choose another model."""
        served = f"{self.path}, and {self.completions} for completions"
        what = served if self.completions else self.path
        return (f"model: {what} ({self.reason})", self.cost, self.otherwise)


def choose(fetch: Fetch | None, laws: Path | None = None) -> ModelChoice:
    """Choose a model for this machine.

    It is the largest Qwen2.5-Coder that a GPU can serve and a hub has, else the default of the
    models that can be fetched, else the embedded one.

    `fetch` is called where the default model is not there yet; None: nothing is fetched. `laws`:
    the file with what was measured; a default model that proved too slow for completions leaves
    those to the embedded one. None: one model serves all.
    """
    gpus = detect_gpus()
    name, reason = _hub_model(gpus)
    if name is not None:
        return ModelChoice(name, reason, "it is fetched from the hub by the engine", _otherwise())
    default = known_models()[0]
    trouble = _trouble(default, gpus) or _not_had(default, fetch)
    if trouble:
        return _embedded(default, f"{reason}; {trouble}")
    measured = None if gpus or laws is None else measured_completion(default.name, laws)
    return _fetched(default, reason, measured)


def _hub_model(gpus: tuple[Gpu, ...]) -> tuple[str | None, str]:
    if not gpus:
        return choose_hub_model(gpus, lambda _: False)
    python = find_environment(EngineKind.GPU).python
    return choose_hub_model(gpus, lambda name: hub_has(python, name))


def _trouble(model: KnownModel, gpus: tuple[Gpu, ...]) -> str:
    """Why this machine cannot serve the model; empty where it can."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if not gpus and memory < model.memory_bytes:
        return f"{_gb(memory)} of memory are too little for {model.name}"
    return ""


def _not_had(model: KnownModel, fetch: Fetch | None) -> str:
    """Why the model is not there after all; empty where it is."""
    try:
        if find_stored(model) is not None:
            return ""
        if fetch is None:
            return f"{model.name} is not here"
        fetch(model)
    except EngineError as error:
        return str(error)
    return ""


def _fetched(model: KnownModel, reason: str, measured: MeasuredCompletion | None) -> ModelChoice:
    is_slow = measured is not None and measured.seconds > USABLE_S
    memory = model.memory_bytes + (_EMBEDDED_BYTES if is_slow else 0)
    cost = (
        f"it completes, summarizes and translates; it takes about {_gb(memory)} of memory and "
        f"{_gb(model.converted_bytes)} of disk"
    )
    if measured is None:
        return ModelChoice(model.name, reason, cost, _otherwise())
    why = f"{reason}; a completion by {model.name} {measured}"
    if is_slow:
        why += f", and more than {USABLE_S:g} s come too late"
    again = f"{_otherwise()}; each start measures again, and the next one goes by it"
    return ModelChoice(model.name, why, cost, again, EMBEDDED if is_slow else "")


def _embedded(instead: KnownModel, reason: str) -> ModelChoice:
    cost = (
        f"it completes code within a line and takes about {_gb(_EMBEDDED_BYTES)} of memory; its "
        "summaries and translations are not usable"
    )
    remedy = (
        f"for those: `cato model fetch {instead.name}` ({_gb(instead.bytes)} to download, "
        f"{_gb(instead.converted_bytes)} of disk, {_gb(instead.memory_bytes)} of memory)"
    )
    return ModelChoice(EMBEDDED, reason, cost, remedy)


def _otherwise() -> str:
    return (
        "to choose otherwise: --model embedded (the smallest), a folder, a hub name, or a name of "
        "`cato model list`"
    )


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB"


def measured_completion(name: str, laws: Path) -> MeasuredCompletion | None:
    """Return the time of a usual completion by the model of this name.

    Each start of a model measures it, and so does what it serves; the file `laws` keeps the newest
    of that. None where nothing was measured on this machine.
    """
    place = f"{CPU} {name} "
    found = [
        stored
        for key, stored in read_laws(laws).items()
        if key.model == model_key(name) and key.place.startswith(place)
    ]
    if not found:
        return None
    newest = max(found, key=lambda stored: stored.learned_at)
    law, waited = LearnedLaw(None, newest.law).belief.law, newest.waited or 0.0
    seconds = law.seconds(_NEW_TOKENS, 1, _CONTEXT) + _OUTPUT_TOKENS * token_s(law)
    return MeasuredCompletion((1 - waited) * seconds, waited, newest.learned_at)

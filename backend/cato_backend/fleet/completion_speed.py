"""How long a completion takes with a model on this machine's CPU, by what was measured of it."""

from __future__ import annotations

from pathlib import Path

from cato_backend.fleet.learned_profiles import token_s
from cato_backend.fleet.profiles import CPU
from cato_backend.prediction.learned_law import LearnedLaw
from cato_backend.profile_files.names import model_key
from cato_backend.runtime.law_store import read_laws

USABLE_S = 1.5
"""A completion that takes longer comes when the next key was pressed long ago."""
_NEW_TOKENS = 64
"""Of a prompt whose head is in the prefix cache, as it is while a person types."""
_CONTEXT = 500
_OUTPUT_TOKENS = 8


def completion_s(name: str, laws: Path) -> float | None:
    """Seconds of a usual completion: the first start of a model measures it, and the file `laws`
    keeps it. None where that has not been done on this machine."""
    place = f"{CPU} {name} "
    found = [
        stored
        for key, stored in read_laws(laws).items()
        if key.model == model_key(name) and key.place.startswith(place)
    ]
    if not found:
        return None
    newest = max(found, key=lambda stored: stored.learned_at)
    law = LearnedLaw(None, newest.law).belief.law
    return law.seconds(_NEW_TOKENS, 1, _CONTEXT) + _OUTPUT_TOKENS * token_s(law)

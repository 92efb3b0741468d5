"""What the name of a model tells of its size."""

from __future__ import annotations

import re

_SIZE = re.compile(r"(?<![a-z0-9.])(?:(\d+)x)?(\d+(?:\.\d+)?)([mb])(?![a-z0-9])")
_UNITS = {"m": 1e6, "b": 1e9}


def parameters_named(name: str) -> int | None:
    """Return the number of parameters in a name such as `Qwen2.5-Coder-7B` or `Mixtral-8x7B`.

    None where it names none.
    """
    found = _SIZE.search(name.lower())
    if found is None:
        return None
    experts, count, unit = found.groups()
    return round(int(experts or 1) * float(count) * _UNITS[unit])

"""The SHA-256 of the engine's packages, so that a package index cannot slip in another file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib import resources

_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)==(?P<version>[^\s;\\]+)")
_HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})")


@cache
def known_hashes() -> dict[str, tuple[str, ...]]:
    """Return the hashes of each pinned package, as shipped with this one."""
    text = resources.files("cato_backend.engines").joinpath("hashes.txt").read_text("utf-8")
    found: dict[str, tuple[str, ...]] = {}
    key = ""
    for line in text.splitlines():
        if requirement := _REQUIREMENT.match(line):
            key = _key(requirement)
        elif key and (given := _HASH.search(line)):
            found[key] = (*found.get(key, ()), given[1])
    return found


def with_hashes(requirements: Sequence[str]) -> str | None:
    """Return a requirements file with the hashes of all; None where those of one are not known."""
    known = known_hashes()
    lines: list[str] = []
    for requirement in requirements:
        found = _REQUIREMENT.match(requirement)
        hashes = known.get(_key(found)) if found else None
        if not hashes:
            return None
        lines.append(" ".join((requirement, *(f"--hash={each}" for each in hashes))))
    return "\n".join(lines) + "\n"


def _key(requirement: re.Match[str]) -> str:
    """Return name and version as indexes compare them."""
    name = re.sub(r"[-_.]+", "-", requirement["name"]).lower()
    return f"{name}=={requirement['version']}"

"""How the tests share themselves out among pytest's processes, and what those have in common.

Each group runs in one process, in its order, because its tests share what takes long to start; the
longest group begins first.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

# A test belongs to the first group with a part of its id.
GROUPS = {
    "real-engine": ("test_vllm.py", "neovim/test_with_vllm.py", "vscode/test_with_vllm.py"),
    "installed": ("test_the_first_run_installs", "test_wheel.py"),
    "vscode": ("vscode/",),
    "crowded-engine": ("test_vllm_cancelled.py",),
    "neovim": ("neovim/",),
    "page": ("e2e/page/", "monitoring/"),
    "ray": ("ray/",),
    "others": ("",),
}
FIRST = ("real-engine", "vscode", "installed", "crowded-engine", "ray", "neovim", "page", "others")


def group_of(node_id: str) -> tuple[str, int]:
    """The group of a test, and its place there."""
    return next(
        (group, place)
        for group, parts in GROUPS.items()
        for place, part in enumerate(parts)
        if part in node_id
    )


def in_order(items: list[pytest.Item]) -> None:
    """Sorts the tests by group, the longest first."""

    def order(item: pytest.Item) -> tuple[int, int]:
        group, place = group_of(item.nodeid)
        return FIRST.index(group), place

    items.sort(key=order)


class ByGroup(LoadScopeScheduling):
    """Gives one group after the other to whichever process is free.

    (pytest-xdist's own groups, by a mark, tell by a suffix of the id, which pytest 9.2 ignores.)
    """

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)[0]


def built_once(folder: Path, build: Callable[[Path], Path]) -> Path:
    """What `build` makes in `folder`, by whichever process comes first."""
    folder.mkdir(exist_ok=True)
    record = folder / "built"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not record.exists():
            record.write_text(str(build(folder)))
    return Path(record.read_text())

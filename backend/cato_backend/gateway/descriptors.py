"""File descriptors: the process's limit, and how many clients fit into it."""

from __future__ import annotations

import resource
from dataclasses import dataclass

_RESERVED = 64
"""For logs, engines, the event loop and listening sockets."""
_UNLIMITED = 1_048_576
"""In place of no limit: the kernel's default of what a process may ever have."""
_PER_CLIENT = 3
"""A connection of its own, one to a replica, and one that is kept to another replica."""


@dataclass(frozen=True, slots=True)
class Descriptors:
    """The soft limit before and after it was raised."""

    before: int
    limit: int

    def clients(self, wanted: int) -> int:
        """How many client connections there may be, of so many that are wanted."""
        reserved = min(_RESERVED, self.limit // 3)
        return max(1, min(wanted, (self.limit - reserved) // _PER_CLIENT))

    def __str__(self) -> str:
        raised = f", raised from {self.before}" if self.limit > self.before else ""
        return f"file descriptors: at most {self.limit}{raised}"


def raise_limit() -> Descriptors:
    """Raises the soft limit to the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = _UNLIMITED if hard == resource.RLIM_INFINITY else hard
    if soft in (limit, resource.RLIM_INFINITY):
        return Descriptors(limit, limit)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    except (OSError, ValueError):  # More than the system allows any process.
        return Descriptors(soft, soft)
    return Descriptors(soft, limit)

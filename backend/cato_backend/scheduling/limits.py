"""Bounds of the queue."""

from __future__ import annotations

from dataclasses import dataclass, field

from cato_backend.scheduling.outliers import OutlierDetection


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that no policy may cross."""

    max_waiting: int = 4096
    """Queued requests per model."""
    max_waiting_per_session: int = 64
    """Of a session that is named."""
    max_wait_s: float = 60.0
    """Longest stay in the queue; what would take longer than this to serve may not queue."""
    max_attempts: int = 3
    """Attempts of one request that may fail by a replica's fault. The death of a replica counts for
    none of those that ran on it."""
    retry_delay_s: float = 0.5
    """Before a replica is tried again that just failed the request, times the attempts so far. A
    replica that died is known to be down by then, and costs no further attempt."""
    outliers: OutlierDetection = field(default_factory=OutlierDetection)

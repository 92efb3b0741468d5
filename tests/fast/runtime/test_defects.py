"""A defect that one request meets stays with that request."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from cato_backend.http1.upstreams import Upstreams
from cato_backend.metrics import Metrics
from cato_backend.requests import Request, Target
from cato_backend.runtime.attempt import Attempts
from cato_backend.runtime.calls import ApiKind, Call, Sink
from cato_backend.runtime.catalog import Catalog
from cato_backend.runtime.runtime import Runtime
from cato_backend.scheduling import Limits, ReplicaUp, Scheduler
from cato_backend.scheduling.policies.base import FleetView, Hold, Policy, Verdict
from cato_backend.scheduling.queue import Waiting
from cato_backend.scheduling.replica import ReplicaView
from cato_backend.wire.headers import Task


class FailsAtOne(Policy):
    """Has a defect that only one request meets."""

    def place(
        self, waiting: Waiting, candidates: Sequence[ReplicaView], fleet: FleetView
    ) -> Verdict:
        if waiting.request.id == "odd":
            raise ZeroDivisionError
        return Hold()


class Nowhere(Sink):
    """Nothing is answered here."""


async def test_a_request_that_the_policy_fails_at_is_not_kept() -> None:
    scheduler = Scheduler(FailsAtOne(), Limits())
    scheduler.handle(ReplicaUp("r", "m", 1), 0.0)
    runtime = Runtime(scheduler, Catalog((), {}), Attempts(Upstreams()), Metrics())
    request = Request("odd", Task.GENERATION, "m", 0.0, Target(ttft_s=1.0), 1, 1)
    with pytest.raises(ZeroDivisionError):
        await runtime.run(Call(request, ApiKind.COMPLETION, {}), Nowhere())
    assert scheduler.waiting("m") == 0
    assert runtime.in_flight == 0

"""How the end of a whole task is counted."""

from __future__ import annotations

import pytest

from cato_backend.config import TargetsConfig
from cato_backend.gateway.headers import parse_headers
from cato_backend.gateway.incoming import validated
from cato_backend.gateway.tasks import TaskBody, serve_task
from cato_backend.http1.upstreams import Upstreams
from cato_backend.metrics import Metrics
from cato_backend.runtime.attempt import Attempts
from cato_backend.runtime.calls import Call, Sink
from cato_backend.runtime.catalog import Catalog
from cato_backend.runtime.facts import ModelFacts
from cato_backend.runtime.runtime import Runtime
from cato_backend.scheduling import Scheduler, make_policy
from cato_backend.wire.headers import CancelReason, Task
from tests.fast.runtime.recorder import Recorder

UNIT = {"name": "f", "kind": "function", "text": "def f(): pass"}


class Defective(Runtime):
    """Fails at every call."""

    async def run(self, call: Call, sink: Sink) -> CancelReason | None:
        raise ArithmeticError("a defect")


async def test_a_defect_is_not_counted_as_cancelled() -> None:
    catalog, metrics = Catalog((), {}), Metrics()
    catalog.learn("r1", ModelFacts("coder"))
    scheduler = Scheduler(make_policy("round-robin"))
    runtime = Defective(scheduler, catalog, Attempts(Upstreams()), metrics, lambda: 0.0)
    value = {"task": "summarization", "language": "python", "units": [UNIT, UNIT]}
    headers = parse_headers({}, "").of_task(Task.SUMMARIZATION, TargetsConfig())
    with pytest.raises(ArithmeticError):
        await serve_task(runtime, headers, validated(TaskBody, value), 0.0, Recorder())
    labels = {"task": "summarization", "outcome": "internal_error"}
    assert metrics.registry.get_sample_value("cato_requests_total", labels) == 1

"""What people and Prometheus are told of ejections."""

from __future__ import annotations

import pytest

from cato_backend.fleet.ejections import Ejections
from cato_backend.metrics import Metrics
from cato_backend.scheduling import (
    Abort,
    Decision,
    Eject,
    Reason,
    Reinstate,
    ReplicaDown,
    ReplicaUp,
    Woke,
)


class Told:
    """The lines and the metrics."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.lines: list[str] = []
        self._ejections = Ejections(
            self.metrics, lambda replica_id, text: self.lines.append(f"{replica_id}: {text}")
        )
        self._ejections.note(ReplicaUp("a", "m", 9), (), 0.0)

    def decide(self, *decisions: Decision) -> None:
        """The scheduler decided so."""
        self._ejections.note(Woke(), decisions, 1.0)

    def down(self) -> None:
        """The replica has gone."""
        self._ejections.note(ReplicaDown("a"), (), 2.0)

    def value(self, name: str, **labels: str) -> float | None:
        """Of a metric."""
        return self.metrics.registry.get_sample_value(name, labels)


@pytest.mark.parametrize(
    ("reason", "line"),
    [
        (Reason.FAILURES, "a: ejected for 2 s: attempts on it failed, one after the other"),
        (
            Reason.OVERDUE,
            "a: ejected until it answers a synthetic request: it takes requests and does not begin"
            " to answer them; attempts moved: 2",
        ),
        (Reason.BUSY, "a: ejected for 2 s: it refused a request for want of room"),
    ],
)
def test_each_change_is_a_line_and_a_count(reason: Reason, line: str) -> None:
    told = Told()
    assert told.value("cato_replica_ejected", replica="a") == 0
    moved = (Abort("r1", 1, True), Abort("r2", 1, True)) if reason is Reason.OVERDUE else ()
    told.decide(Eject("a", reason, 2.0, 1), Abort("other", 1), *moved)
    assert told.lines == [line]
    assert told.value("cato_replica_ejected", replica="a") == 1
    assert told.value("cato_replica_ejections_total", replica="a", reason=reason) == 1
    assert told.value("cato_attempts_moved_total") == len(moved)
    told.decide(Reinstate("a"))
    assert told.lines[1:] == ["a: back in service"]
    assert told.value("cato_replica_ejected", replica="a") == 0


def test_a_replica_that_is_busy_every_second_is_told_of_once() -> None:
    told = Told()
    for number in range(1, 6):
        told.decide(Eject("a", Reason.BUSY, 1.0, number))
    assert len(told.lines) == 1
    assert told.value("cato_replica_ejections_total", replica="a", reason="busy") == 5
    told.decide(Reinstate("a"), Eject("a", Reason.BUSY, 1.0, 6))
    assert len(told.lines) == 3


def test_a_replica_that_has_gone_is_not_ejected_any_more() -> None:
    told = Told()
    told.decide(Eject("a", Reason.FAILURES, 1.0, 1))
    told.down()
    assert told.value("cato_replica_ejected", replica="a") == 0

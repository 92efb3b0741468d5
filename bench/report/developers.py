"""Claims on developers per replica: clients and routers in a closed loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench.developers.capacity import Cell, best, rivals, systems
from bench.developers.records import recorded
from bench.developers.report import OUR_CLIENT, OUR_POLICY
from bench.developers.study import System
from bench.report.claims import Claim, Target, lead, mean, single


def per_replica(document: Mapping[str, Any]) -> Iterator[Claim]:
    """Yield how many developers each client is served with, the ratio, and our router's leads."""
    cells = [recorded(kept) for kept in document["cells"]]
    replicas: int = document["settings"]["replicas"]
    for client in dict.fromkeys(system.client for system in systems(cells)):
        system, developers = best(cells, systems(cells, client))
        statement = f"developers per replica, best of {client}: {_router(system)}"
        yield single(statement, developers / replicas, digits=0)
    us, ours = best(cells, [s for s in systems(cells, OUR_CLIENT) if s.policy == OUR_POLICY])
    yield single(f"the same, {OUR_CLIENT}: {_router(us)}", ours / replicas, digits=0)
    other, most = best(cells, rivals(cells, us))
    statement = f"ratio of that to the best of other clients and routers ({_name(other)})"
    if most:
        yield single(statement, ours / most, target=Target(least=2))
    for threshold in dict.fromkeys(system.threshold for system in systems(cells, OUR_CLIENT)):
        yield from _leads(cells, threshold)


def _leads(cells: Sequence[Cell], threshold: int) -> Iterator[Claim]:
    """Of our router over the best other one behind our client, where the engines are alike."""
    here = [
        cell
        for cell in cells
        if cell.system.client == OUR_CLIENT and cell.system.threshold == threshold
    ]
    for developers in sorted({cell.developers for cell in here}):
        at = {cell.system.policy: cell for cell in here if cell.developers == developers}
        ours = at.pop(OUR_POLICY, None)
        if ours is None or not at:
            continue
        place = f"{OUR_CLIENT}, {developers} developers, threshold {threshold}"
        shares = [100 * share for share in ours.shares.values()]
        yield mean(f"{place}: pauses right within 0.5 s behind {OUR_POLICY}", shares, "%")
        others = {policy: cell.shares for policy, cell in at.items()}
        yield lead(f"{place}: lead of {OUR_POLICY}", ours.shares, others)


def _name(system: System) -> str:
    return f"{system.client}, {_router(system)}"


def _router(system: System) -> str:
    return f"{system.policy}, threshold {system.threshold}"

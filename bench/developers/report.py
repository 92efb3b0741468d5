"""The tables that `python -m bench.developers` prints."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from statistics import fmean

from bench.developers.capacity import Cell, bar, best, rivals, served, systems
from bench.developers.study import System
from bench.peers.tables import markdown
from cato_lab.scoring.statistics import interval

OUR_CLIENT, OUR_POLICY = "cato-lsp", "cato"


def report(cells: Sequence[Cell], replicas: int) -> str:
    """Return all tables in Markdown."""
    parts = [
        "Pauses with the right suggestion within 500 ms (300 ms), %, by developers:",
        _table(cells, _share),
        "Engine milliseconds a key (questions a key), by developers:",
        _table(cells, _cost),
        *_conclusion(cells, replicas),
    ]
    return "\n\n".join(parts)


def _share(cell: Cell) -> str:
    found = interval([100 * share for share in cell.shares.values()])
    early = fmean(100 * seen.right_300 / seen.pauses for seen in cell.seeds.values())
    return f"{found.mean:.1f} ± {found.half:.1f} ({early:.1f})"


def _cost(cell: Cell) -> str:
    engine_ms = fmean(1000 * seen.engine_s / seen.keys for seen in cell.seeds.values())
    questions = fmean(seen.questions / seen.keys for seen in cell.seeds.values())
    return f"{engine_ms:.1f} ({questions:.2f})"


def _table(cells: Sequence[Cell], text: Callable[[Cell], str]) -> str:
    loads = sorted({cell.developers for cell in cells})
    known = {(cell.system, cell.developers): text(cell) for cell in cells}
    rows = [
        (s.client, s.policy, str(s.threshold), *(known.get((s, load), "") for load in loads))
        for s in systems(cells)
    ]
    return markdown(("client", "router", "threshold", *map(str, loads)), rows)


def _conclusion(cells: Sequence[Cell], replicas: int) -> Iterator[str]:
    yield "Developers for each replica:"
    rows = [
        (*_names(s), f"{100 * bar(cells, s.client):.1f}", f"{served(cells, s) / replicas:.0f}")
        for s in systems(cells)
    ]
    yield markdown(("client", "router", "threshold", "least share %", "developers"), rows)
    yield from _ratio(cells)


def _ratio(cells: Sequence[Cell]) -> Iterator[str]:
    """Our client and router against the best system that uses neither."""
    ours = [s for s in systems(cells, OUR_CLIENT) if s.policy == OUR_POLICY]
    if not ours:
        return
    us, developers = best(cells, ours)
    others = rivals(cells, us)
    other, most = best(cells, others) if others else (us, 0.0)
    if most:
        names = " ".join(_names(us)), " ".join(_names(other))
        yield f"{names[0]} serves {developers / most:.1f} times as many as {names[1]}."


def _names(system: System) -> tuple[str, str, str]:
    return system.client, system.policy, str(system.threshold)

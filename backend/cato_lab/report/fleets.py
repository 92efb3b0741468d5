"""The picture of `cato plan`: GPUs, and what they cost a month, against developers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cato_lab.report.style import Axes, Palette, drawing


@dataclass(frozen=True, slots=True)
class Fleets:
    """Of one GPU: replicas by developers, None where nothing that was tried is enough."""

    gpu: str
    counts: Mapping[int, int | None]
    per_month: float | None
    """What one costs; None where that is not known."""

    def found(self) -> list[tuple[int, int]]:
        """Return developers with their replicas, ascending, where a fleet was found."""
        return [(people, n) for people, n in sorted(self.counts.items()) if n is not None]


def draw_fleets(fleets: Sequence[Fleets], currency: str) -> str:
    """Return the SVG: replicas on the left, on the right their cost of those with a price."""
    palette = Palette([each.gpu for each in fleets])
    with drawing(4.2) as drawn:
        left, right = drawn.figure.subplots(1, 2)
        for each in fleets:
            _line(left, each, palette, 1.0)
            if each.per_month is not None:
                _line(right, each, palette, each.per_month)
        left.set_title("GPUs that are enough")
        right.set_title(f"{currency} a month")
        for axes in (left, right):
            axes.set_xlabel("developers who type all the time")
            axes.set_ylim(bottom=0)
        drawn.legend(palette.handles())
    return drawn.svg


def _line(axes: Axes, fleets: Fleets, palette: Palette, factor: float) -> None:
    found = fleets.found()
    people = [developers for developers, _ in found]
    values = [factor * count for _, count in found]
    axes.plot(people, values, marker="o", **palette.line(fleets.gpu))

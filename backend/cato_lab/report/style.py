"""The style of figures, and their conversion to SVG."""

from __future__ import annotations

import io
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from itertools import cycle
from typing import Any, TypeAlias

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import NullFormatter

Axes: TypeAlias = Any
"""matplotlib's own types leave half of its calls unknown."""

INK, _FAINT = "#1c2430", "#d5dae1"
_COLOURS = (
    *("#0b6e99", "#d9480f", "#2b8a3e", "#862e9c", "#c2255c", "#e8a200", "#495057"),
    *("#15aabf", "#a0522d", "#7048e8", "#82c91e", "#f06595", "#1c7ed6", "#868e96"),
)
_STYLES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)))
_MET = "#74b49b"
_FATES = ("#f4a259", "#e76f51", "#bc4749", "#7f4f7a", "#5f6c7b", "#9aa5b1", "#3d405b")
_SETTINGS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "cato",
    "font.family": "sans-serif",
    "font.size": 9.5,
    "axes.edgecolor": _FAINT,
    "axes.labelcolor": INK,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#eceff3",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
}
_MATPLOTLIB: Any = mpl
_WIDTH = 9.4
"""Inches; the page scales it to its column."""
_MOST_COLUMNS, _LETTERS, _LETTERS_OF_A_LINE = 5, 125, 8
"""Legends: the letters that fit in one row, and the width of a line sample in letters."""


class Drawing:
    """A figure under way, and its SVG once it is done."""

    def __init__(self, height: float) -> None:
        self.figure: Any = Figure(figsize=(_WIDTH, height), layout="constrained")
        self.svg = ""

    def legend(self, handles: Sequence[Any]) -> None:
        """Above everything, in as many columns as its longest label lets there be."""
        longest = max((len(handle.get_label()) for handle in handles), default=0)
        columns = max(1, min(_MOST_COLUMNS, _LETTERS // (longest + _LETTERS_OF_A_LINE)))
        self.figure.legend(handles=handles, loc="outside upper center", ncols=columns)

    def close(self) -> None:
        """Render it."""
        text = io.StringIO()
        self.figure.savefig(text, format="svg", metadata={"Date": None})
        self.svg = text.getvalue()[text.getvalue().index("<svg") :]


@contextmanager
def drawing(height: float) -> Generator[Drawing]:
    """Yield a figure in the report's style, rendered at the end."""
    with _MATPLOTLIB.rc_context(_SETTINGS):
        drawn = Drawing(height)
        yield drawn
        drawn.close()


class Palette:
    """A policy has one colour in all figures; ours are drawn on top."""

    def __init__(self, policies: Sequence[str]) -> None:
        self._policies = list(policies)
        self._colours = dict(zip(self._policies, cycle(_COLOURS), strict=False))

    def colour(self, policy: str) -> str:
        """As matplotlib takes it."""
        return self._colours[policy]

    def line(self, policy: str) -> dict[str, Any]:
        """Arguments of a line."""
        ours = policy.startswith("cato")
        style = _STYLES[self._policies.index(policy) // len(_COLOURS) % len(_STYLES)]
        return {
            "color": self._colours[policy],
            "linestyle": style,
            "linewidth": 2.6 if ours else 1.5,
            "markersize": 4.5 if ours else 3.5,
            "zorder": 3 if ours else 2,
        }

    def handles(self) -> list[Line2D]:
        """For the legend."""
        return [Line2D([], [], label=policy, **self.line(policy)) for policy in self._policies]


def fate_colours(kinds: Sequence[str]) -> dict[str, str]:
    """Return a colour for each outcome; that of met requests is fixed."""
    return {"met": _MET} | dict(zip(kinds, cycle(_FATES), strict=False))


def fate_handles(colours: dict[str, str]) -> list[Patch]:
    """For the legend."""
    return [Patch(color=colour, label=kind) for kind, colour in colours.items()]


def as_share(axes: Axes) -> None:
    """Show the vertical axis in percent, all of it."""
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(percent_label)


def in_seconds(axes: Axes) -> None:
    """Make the horizontal axis logarithmic, in seconds, with names for powers of ten."""
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(number_label)
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("seconds")


def percent_label(value: float, _position: int) -> str:
    """Return a tick."""
    return f"{value:.0%}"


def number_label(value: float, _position: int) -> str:
    """Return a tick."""
    return f"{value:g}"

"""Predicted against measured, as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from cato_backend.profiling.campaign import Campaign
from cato_backend.profiling.fit import Fit, predict

_KINDS = (("decode", "decoding", "o"), ("prefill", "with a prompt", "s"), ("cached", "cached", "^"))


def save_plot(campaign: Campaign, fit: Fit, title: str, path: Path) -> None:
    """Write the plot; the file's ending names the format (svg, png, pdf)."""
    # matplotlib's own types are partial.
    figure: Any = Figure(figsize=(6, 6), layout="constrained")
    axes: Any = figure.subplots()
    for kind, label, marker in _KINDS:
        for held_out in (False, True):
            _scatter(axes, campaign, fit, (kind, held_out), (label, marker))
    measured = [1e3 * sample.seconds for sample in campaign.samples]
    ends = [min(measured) * 0.8, max(measured) * 1.25]
    axes.plot(ends, ends, color="0.6", linewidth=1)
    axes.set(xscale="log", yscale="log", title=title)
    axes.set(xlabel="measured step, ms", ylabel="predicted step, ms")
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _scatter(
    axes: Any, campaign: Campaign, fit: Fit, which: tuple[str, bool], look: tuple[str, str]
) -> None:
    samples = [s for s in campaign.samples if (s.cell.kind, s.cell.held_out) == which]
    label, marker = look
    axes.scatter(
        [1e3 * sample.seconds for sample in samples],
        [1e3 * predict(fit.law, sample.cell) for sample in samples],
        marker=marker,
        s=28,
        facecolors="none" if which[1] else None,
        edgecolors="C3" if which[1] else "C0",
        label=f"{label}, held out" if which[1] else label,
    )

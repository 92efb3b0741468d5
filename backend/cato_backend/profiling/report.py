"""Reports of a fit: text, with the law that `cato serve` would have learned, and a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cato_backend.prediction.learned_law import LearnedLaw
from cato_backend.prediction.step_windows import Window
from cato_backend.profile_files.profile import StepLaw
from cato_backend.profiling.campaign import Campaign
from cato_backend.profiling.fit import Errors, Fit, Sample, errors_of, predict

_STEPS = 8
"""Of plain decoding that a gateway sees as one stretch."""
_UNITS = (
    ("base", 1e3, "ms a step"),
    ("weights", 1e3, "ms a step, for reading the weights"),
    ("per_new_token", 1e6, "us a new token"),
    ("per_sequence", 1e6, "us a sequence"),
    ("per_kv_token", 1e9, "ns a token of KV cache"),
    ("per_attention", 1e9, "ns a pair of a prompt's token and one before it"),
)
_KINDS = (("decode", "decoding", "o"), ("prefill", "with a prompt", "s"), ("cached", "cached", "^"))


def learned_online(samples: Sequence[Sample]) -> tuple[StepLaw, Errors]:
    """Return the law after the fitted samples, and how far it is off on the held-out ones."""
    learned = LearnedLaw(None)
    used = [sample for sample in samples if not sample.cell.held_out]
    for number, sample in enumerate(used):
        learned.learn(_window(sample), float(number))
    law = learned.belief.law
    return law, errors_of(law, [sample for sample in samples if sample.cell.held_out])


def _window(sample: Sample) -> Window:
    cell = sample.cell
    if cell.kind == "decode":
        seconds = _STEPS * sample.seconds
        return Window(seconds, _STEPS, 0, 0, cell.sequences, cell.kv_tokens, 0.0)
    decoding = cell.sequences - 1
    prompt = cell.new_tokens - decoding
    return Window(sample.seconds, 1, 1, prompt, decoding, cell.kv_tokens, cell.attention)


def table(campaign: Campaign, fit: Fit) -> Iterator[str]:
    """Lines: every held-out step, the coefficients, the errors."""
    yield "Steps that the law was not fitted to:"
    yield "  kind     new tokens  sequences  KV tokens  measured ms  predicted ms   off by"
    for sample in campaign.samples:
        cell = sample.cell
        if cell.held_out:
            predicted = predict(fit.law, cell)
            yield (
                f"  {cell.kind:8} {cell.new_tokens:10} {cell.sequences:10} {cell.kv_tokens:10.0f} "
                f"{sample.seconds * 1e3:12.2f} {predicted * 1e3:13.2f} "
                f"{100 * (predicted / sample.seconds - 1):+7.1f}%"
            )
    yield from _coefficients(fit.law)
    yield from _errors(campaign, fit)


def _coefficients(law: StepLaw) -> Iterator[str]:
    yield f"Step law, {law.form} form:"
    for name, factor, unit in _UNITS:
        yield f"  {getattr(law, name) * factor:10.4f} {unit}"


def _errors(campaign: Campaign, fit: Fit) -> Iterator[str]:
    yield "Absolute error:"
    yield f"  {fit.fitted.mean:5.1f}% in the mean of the {fit.fitted.cells} steps fitted to"
    for form, errors in fit.held_out.items():
        kept = "kept" if form == fit.law.form else "not kept"
        yield (
            f"  {errors.mean:5.1f}% in the mean, {errors.p90:.1f}% at most in nine of ten, of the "
            f"{errors.cells} held out ({form} form, {kept})"
        )
    _, online = learned_online(campaign.samples)
    yield (
        f"  {online.mean:5.1f}% in the mean, {online.p90:.1f}% at most in nine of ten, of the "
        "same, by what `cato serve` learns from the others without a profile"
    )
    yield f"  {campaign.spread_percent:5.1f}% is how much one and the same step varies"


def save_plot(campaign: Campaign, fit: Fit, title: str, path: Path) -> None:
    """Write the plot; the file's ending names the format (svg, png, pdf)."""
    from matplotlib.figure import Figure  # Most reports have no picture.

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

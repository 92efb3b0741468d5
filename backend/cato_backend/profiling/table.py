"""A fit for people, as text, beside what `cato serve` would have learned of the same steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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


def learned_online(samples: Sequence[Sample]) -> tuple[StepLaw, Errors]:
    """The law after the samples that are not held out, and how far it is off on those that are."""
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

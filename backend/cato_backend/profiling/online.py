"""What `cato serve` would learn of the measured steps, one after the other, told nothing before."""

from __future__ import annotations

from collections.abc import Sequence

from cato_backend.prediction.learned_law import LearnedLaw
from cato_backend.prediction.step_windows import Window
from cato_backend.profile_files.law import StepLaw
from cato_backend.profiling.fit import Errors, Sample, errors_of

_STEPS = 8
"""Of plain decoding that a gateway sees as one stretch."""


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

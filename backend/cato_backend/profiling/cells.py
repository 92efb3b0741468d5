"""The measured settings: a designed grid, and a second grid between its points to check the fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cato_backend.profile_files.profile import EngineLimits


@dataclass(frozen=True, slots=True)
class Chunk:
    """A prompt that comes in while others decode: `cached` tokens are found, `new` computed."""

    new: int
    cached: int = 0


@dataclass(frozen=True, slots=True)
class CellSetup:
    """A setting: sequences that decode, and what is sent among them.

    Each sequence has a prompt of `context` tokens; prompts are sent one at a time.
    """

    batch: int
    context: int
    chunks: tuple[Chunk, ...]
    tokens: int
    """That each of them may bring."""
    held_out: bool
    """Not fitted to, but checked on."""


@dataclass(frozen=True, slots=True)
class Cell:
    """The work of one engine step, in the terms of StepLaw."""

    kind: str
    """`decode`, `prefill` or `cached`, for people."""
    new_tokens: int
    sequences: int
    kv_tokens: float
    attention: float
    held_out: bool


@dataclass(frozen=True, slots=True)
class CampaignPlan:
    """All setups, each to be run in every round."""

    setups: tuple[CellSetup, ...]
    rounds: int
    window: int
    """Steps of plain decoding that are timed in each setup."""


_LONGEST = 8192
"""Contexts beyond this are not measured: editors do not ask for them."""
_MOST_TOKENS = 1024
_FULL = ((1, 4, 16, 32), (0.03, 0.3, 0.65), (16, 64, 256, 1024), 7)
_FULL_CHECK = ((2, 8, 24), (0.15, 0.5), (32, 160, 768))
_QUICK = ((1, 4, 16), (0.03, 0.5), (16, 256, 1024), 3)
_QUICK_CHECK = ((2, 8), (0.25,), (64, 512))


def plan(limits: EngineLimits, *, quick: bool) -> CampaignPlan:
    """Return the grid for a replica: batches, shares of its context, chunks."""
    batches, shares, chunks, rounds = _QUICK if quick else _FULL
    check_batches, check_shares, check_chunks = _QUICK_CHECK if quick else _FULL_CHECK
    setups = [
        *_setups(limits, batches, shares, chunks, held_out=False),
        *_setups(limits, check_batches, check_shares, check_chunks, held_out=True),
    ]
    return CampaignPlan(tuple(setups), rounds, window=24 if quick else 48)


def _setups(
    limits: EngineLimits,
    batches: Sequence[int],
    shares: Sequence[float],
    chunks: Sequence[int],
    *,
    held_out: bool,
) -> Iterator[CellSetup]:
    longest = min(_LONGEST, limits.max_model_len)
    # What can be found in the cache are whole blocks.
    cached = max(1, longest // 2 // limits.block_size) * limits.block_size
    wanted = [Chunk(new) for new in chunks] + [Chunk(new, cached) for new in chunks[:2]]
    for batch in batches:
        for share in shares:
            context = max(8, int(share * longest))
            tokens = min(_MOST_TOKENS, limits.max_model_len - context)
            held = batch * (context + tokens)
            fitting = tuple(chunk for chunk in wanted if _fits(chunk, batch, held, limits))
            if fitting and batch < limits.max_num_seqs:
                yield CellSetup(batch, context, fitting, tokens, held_out)


def _fits(chunk: Chunk, batch: int, held: int, limits: EngineLimits) -> bool:
    """Return whether the chunk fits into one step beside that batch, and into the cache."""
    prompt = chunk.new + chunk.cached
    return (
        chunk.new <= limits.longest_chunk
        and chunk.new + batch <= limits.max_num_batched_tokens
        and prompt < limits.max_model_len
        and held + prompt <= limits.kv_tokens
    )

"""A request as the scheduler sees it: frozen, without a byte of its prompt."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TypeVar, dataclass_transform

from cato_backend.wire.headers import Task

BLOCK_CHARS = 256
"""Characters in one block of the prefix index; some 80 tokens, five of vLLM's own blocks."""

USABLE_S = 0.5
"""From arrival to the whole of a completion: ghost text is shown when it is whole. An aim, reported
beside the time to the first token, which is what is promised."""


ValueT = TypeVar("ValueT")


@dataclass_transform(frozen_default=True)
def value(kind: type[ValueT]) -> type[ValueT]:
    """Make a dataclass that type checkers hold to be frozen, and that Python does not check.

    To set the fields of a frozen dataclass takes a call for each of them, and the requests'
    own values have some hundred fields together.
    """
    return dataclass(slots=True, unsafe_hash=True)(kind)


def prompt_blocks(text: str, adapter: str = "", cache_salt: str = "") -> tuple[int, ...]:
    """Return a 64-bit hash for each whole block of a rendered prompt, over all text up to its end.

    The same in every process, so that a recorded run can be replayed; 1 µs a block. Engines share
    nothing that they computed between a model and its adapters, nor between prompts with different
    salts, so that these share no hash either.
    """
    named = f"{adapter}\0{cache_salt}" if cache_salt else adapter
    head = blake2b(named.encode(), digest_size=8)
    blocks: list[int] = []
    for end in range(BLOCK_CHARS, len(text) + 1, BLOCK_CHARS):
        head.update(text[end - BLOCK_CHARS : end].encode())
        blocks.append(int.from_bytes(head.digest()))
    return tuple(blocks)


@value
class Target:
    """An SLO target, in seconds from arrival. Exactly one of `ttft_s` and `e2e_s` is set.

    `tpot_s`: beside `ttft_s`, the longest mean time between two output tokens,
    TPOT = (E2E - TTFT) / (output tokens - 1).
    `worthless_after_s`: the answer is of no use if it has not begun by then.
    """

    ttft_s: float | None = None
    e2e_s: float | None = None
    worthless_after_s: float | None = None
    tpot_s: float | None = None

    @property
    def budget_s(self) -> float:
        """Seconds from arrival to the deadline."""
        budget = self.e2e_s if self.ttft_s is None else self.ttft_s
        if budget is None:
            raise ValueError("a target needs ttft_s or e2e_s")
        return budget

    def scaled(self, times: float, tpot_times: float | None = None) -> Target:
        """Return the target with all times multiplied; TPOT by `tpot_times` where that is given."""
        tpot_times = times if tpot_times is None else tpot_times
        return Target(
            ttft_s=None if self.ttft_s is None else self.ttft_s * times,
            e2e_s=None if self.e2e_s is None else self.e2e_s * times,
            worthless_after_s=(
                None if self.worthless_after_s is None else self.worthless_after_s * times
            ),
            tpot_s=None if self.tpot_s is None else self.tpot_s * tpot_times,
        )


@value
class Origin:
    """Origin of a request: the token's owner, one of their editors, one document in it."""

    tenant: str = ""
    session: str = ""
    document: str = ""
    team: str = ""
    """The team of the token's owner; empty where none is known."""


@dataclass(frozen=True, slots=True)
class Share:
    """Weights of a request's team and owner in the fleet."""

    team_weight: float = 1.0
    """To those of other teams."""
    weight: float = 1.0
    """To those of others in the team."""
    priority: int = 0
    """Higher is looked at first."""
    over_budget: bool = False
    """Whether it is served only where no other request would be."""


EQUAL_SHARE = Share()


@value
class Request:
    """One call of a model. Times are seconds on the scheduler's clock."""

    id: str
    task: Task
    model: str
    arrival: float
    target: Target
    prompt_tokens: int
    """An estimate; the ledger corrects it from the engine's own count."""
    max_tokens: int
    origin: Origin = Origin()
    supersede: bool = False
    resumable: bool = True
    """Whether a stream that broke off can be continued elsewhere unseen."""
    workflow: str | None = None
    prompt_blocks: tuple[int, ...] = ()
    """Chained hashes of the rendered prompt's whole blocks of `BLOCK_CHARS` characters.

    Two requests share as much prefix cache as their tuples share from the start."""
    expected_tokens: int | None = None
    """The client's own estimate of its output tokens; None where it gave none."""
    adapter: str = ""
    """The name under which a replica serves it, where that is not `model` itself: a LoRA adapter of
    the model, or another of its names."""
    context_tokens: int = 0
    """Prompt and output that a replica's context must hold; 0 where any does."""
    streams: bool = True
    """Whether the client sees each token; else nothing before the end."""
    declared: bool = True
    """Whether the client named its class or its target; else both are assumed from the request's
    shape, and the client may have expected something else."""
    names_pace: bool = True
    """Whether the client named its target's `tpot_s`; else it is assumed of its class."""
    warm: bool = False
    """Only to fill the prefix cache: runs where no other request waits, else it is dropped."""
    share: Share = EQUAL_SHARE

    @property
    def deadline(self) -> float:
        """When the promised event (first or last token) is due."""
        return self.arrival + self.target.budget_s

    def expires(self, max_wait_s: float) -> float:
        """Return when it leaves the queue unserved.

        Its worth is gone, or it waited `max_wait_s`.
        """
        return self.arrival + min(self.target.worthless_after_s or max_wait_s, max_wait_s)

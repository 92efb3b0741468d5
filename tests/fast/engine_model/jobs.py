"""Small engines and jobs that collide in them."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from cato_backend.engine_model import Job
from cato_backend.profile_files.profile import EngineLimits, StepLaw

LAWS = (
    StepLaw("additive", 0.02, per_new_token=0.0001),
    StepLaw("max", 0.001, 0.004, 0.0009, 0.0002, 0.00007, 0.000001),
)
LIMITS = st.builds(
    EngineLimits,
    max_num_seqs=st.integers(1, 5),
    max_num_batched_tokens=st.integers(5, 40),
    kv_tokens=st.integers(60, 240),
    block_size=st.sampled_from([1, 4, 8]),
    max_model_len=st.just(56),
    long_prefill_token_threshold=st.just(0) | st.integers(1, 20),
)
ORDERS = st.sampled_from(["priority", "fcfs"])


def hashes(text: Sequence[int], block_size: int) -> list[int]:
    """Chained hashes of the whole blocks of a text."""
    ends = range(block_size, len(text) + 1, block_size)
    return [hash((block_size, *text[:end])) for end in ends]


@st.composite
def jobs(draw: st.DrawFn, block_size: int, name: str) -> Job:
    """A job whose prompt shares a start of some length with others."""
    shared, own = draw(st.integers(0, 30)), draw(st.integers(0, 12))
    text = [0] * shared + [draw(st.integers(1, 3))] * own + [9]
    output = draw(st.integers(1, 12))
    told = draw(st.sampled_from([len(text), len(text) + output, 0]))
    keys = hashes([*text, *[7] * output][:told], block_size)
    return Job(name, len(text), output, keys, draw(st.integers(0, 2)))

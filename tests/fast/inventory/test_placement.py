"""Replicas on GPUs: the least of all models beside each other, the rest in turns."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cato_backend.engines.nvml import Gpu
from cato_backend.errors import ConfigError
from cato_backend.inventory.needs import Need, Seat
from cato_backend.inventory.placement import ASLEEP_BYTES, place

GB = 1_000_000_000


def gpu(index: int = 0, total: float = 80, free: float | None = None) -> Gpu:
    return Gpu(index, "A100", int(total * GB), int((total if free is None else free) * GB))


def need(number: int, least: int, most: int, memory: float | None = None, **more: bool) -> Need:
    return Need(f"models.{number}", least, most, memory and int(memory * GB), **more)


def on(seats: tuple[Seat, ...]) -> list[int]:
    return [seat.gpu.index for seat in seats]


def test_a_replica_takes_a_gpu_of_its_own_where_nothing_else_is_said() -> None:
    first, second = place([need(0, 1, 1), need(1, 2, 2)], [gpu(0), gpu(1), gpu(2)])
    assert sorted(on(first) + on(second)) == [0, 1, 2]
    assert first[0].share == 0.92
    assert first[0].part == 1.0


def test_small_replicas_share_a_gpu_by_their_memory() -> None:
    (seats,) = place([need(0, 3, 3, memory=20)], [gpu(0)])
    assert on(seats) == [0, 0, 0]
    assert [seat.share for seat in seats] == [0.25] * 3
    assert [seat.part for seat in seats] == pytest.approx([0.25 / 0.92] * 3)


def test_what_others_hold_is_left_to_them() -> None:
    """The first GPU is half in use: the replica that needs more stands on the second."""
    (seats,) = place([need(0, 1, 1, memory=50)], [gpu(0, free=40), gpu(1)])
    assert on(seats) == [1]


def test_models_that_may_have_none_take_turns_on_one_gpu() -> None:
    first, second = place([need(0, 0, 1, sleeps=True), need(1, 0, 1, sleeps=True)], [gpu(0)])
    assert on(first) == on(second) == [0]
    assert first[0].held == int(80 * GB * 0.92) - ASLEEP_BYTES
    assert first[0].asleep == ASLEEP_BYTES


def test_a_replica_is_spread_over_gpus_of_one_node_and_kind() -> None:
    nodes = [replace(gpu(index), node=node) for node in ("a", "b") for index in (0, 1)]
    other = Gpu(2, "L4", 24 * GB, 24 * GB, node="a")
    wide = Need("models.0", 1, 1, smallest=120 * GB, gpus=2)
    small, large = place([need(1, 1, 1, memory=20), wide], [nodes[0], other, *nodes[1:]])
    assert [each.label for each in large[0].gpus] == ["a/0", "a/1"]
    assert large[0].share == 0.92
    assert large[0].part == 2.0
    assert small[0].gpu.label == "b/0"


def test_the_memory_of_a_replica_is_divided_among_its_gpus() -> None:
    wide = Need("models.0", 2, 2, memory=60 * GB, gpus=2)
    seats = place([wide], [gpu(0), gpu(1)])[0]
    assert [[each.index for each in seat.gpus] for seat in seats] == [[0, 1], [0, 1]]
    assert [seat.held for seat in seats] == [30 * GB, 30 * GB]
    assert [seat.device for seat in seats] == ["0,1", "0,1"]


def test_mig_slices_do_not_hold_one_replica_together() -> None:
    slices = [replace(gpu(0, total=20), mig=name) for name in ("MIG-a", "MIG-b")]
    with pytest.raises(ConfigError, match=r"models\.0\.tensor_parallel: got 2, expected at most 1"):
        place([Need("models.0", 1, 1, gpus=2)], slices)


@pytest.mark.parametrize(
    ("needs", "said"),
    [
        ([need(0, 1, 1, memory=90)], "models.0: a replica needs 90.0 GB of GPU memory"),
        ([need(0, 1, 1), need(1, 1, 1)], "models.1: of at least 1 replicas 0 fit beside"),
        ([need(0, 3, 3, memory=30)], "models.0: of at least 3 replicas 2 fit beside"),
        ([need(0, 1, 2)], "models.0.max_replicas: got 2, expected at most 1"),
        ([need(0, 1, 1), need(1, 0, 1)], "models.1.max_replicas: got 1, expected at most 0"),
    ],
)
def test_what_does_not_fit_is_refused_by_field(needs: list[Need], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        place(needs, [gpu(0)])
    assert said in str(refused.value)


def test_a_model_that_does_not_load_in_what_is_left_is_refused() -> None:
    large = Need("models.0", 1, 1, smallest=70 * GB)
    assert on(place([large], [gpu(0, free=40), gpu(1)])[0]) == [1]
    with pytest.raises(ConfigError, match=r"needs 70\.0 GB .* has 36\.8 GB to give"):
        place([large], [gpu(0, total=40)])


gpus_of = st.lists(st.tuples(st.integers(8, 200), st.floats(0.1, 1)), min_size=1, max_size=6)
needs_of = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(0, 3),
        st.one_of(st.none(), st.integers(1, 120)),
        st.booleans(),
        st.sampled_from((1, 1, 1, 2, 4)),
    ),
    min_size=1,
    max_size=5,
)


@given(gpus_of, needs_of)
def test_no_gpu_is_promised_twice(
    sizes: list[tuple[int, float]], wanted: list[tuple[int, int, int | None, bool, int]]
) -> None:
    """The least replicas of all models fit at once; any seat fits beside those of the others."""
    gpus = [gpu(index, total, total * free) for index, (total, free) in enumerate(sizes)]
    needs = [
        replace(need(number, least, max(1, least + more), memory, sleeps=sleeps), gpus=wide)
        for number, (least, more, memory, sleeps, wide) in enumerate(wanted)
    ]
    try:
        placed = place(needs, gpus)
    except ConfigError:
        return
    held = Counter[int]()
    for each, seats in zip(needs, placed, strict=True):
        assert len(seats) == each.most
        for seat in seats[: each.least]:
            assert len(set(seat.gpus)) == each.gpus
            held.update({gpu.index: seat.held for gpu in seat.gpus})
    assert all(held[each.index] <= each.usable for each in gpus)
    for each, seats in zip(needs, placed, strict=True):
        own = Counter[int]()
        for seat in seats:
            own.update({gpu.index: seat.held for gpu in seat.gpus})
            assert all(0 < seat.held <= gpu.usable for gpu in seat.gpus)
        assert all(own[each.index] <= each.usable for each in gpus)

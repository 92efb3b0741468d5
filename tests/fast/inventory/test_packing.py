"""Placement by HiGHS: valid, never worse than one after another, and as good as every way tried."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.placement import fewest_by_search
from cato_backend.engines.nvml import Gpu
from cato_backend.errors import ConfigError, NoRoom
from cato_backend.inventory.needs import Need
from cato_backend.inventory.packing import Packing, pack, seats_of
from cato_backend.inventory.placement import place

GB = 1_000_000_000


def gpus(count: int, total: int = 100, node: str = "a") -> list[Gpu]:
    return [Gpu(n, "A100", total * GB, total * GB, node=node) for n in range(count)]


def need(number: int, least: int, memory: int | None, wide: int = 1) -> Need:
    taken = None if memory is None else memory * GB
    return Need(f"models.{number}", least, max(1, least), taken, gpus=wide)


def check(found: Packing, needs: Sequence[Need], there: Sequence[Gpu]) -> None:
    """Every least replica has its GPUs, on one node, and no GPU is promised twice."""
    held = Counter[int]()
    counts = Counter(model for model, _ in found.places)
    assert [counts[number] for number in range(len(needs))] == [each.least for each in needs]
    for model, places in found.places:
        each = needs[model]
        assert len(set(places)) == each.gpus
        assert len({(there[p].node, there[p].name) for p in places}) == 1
        whole = each.memory is None
        held.update({p: there[p].usable if whole else each.bytes_needed for p in places})
    assert all(bytes_held <= there[p].usable for p, bytes_held in held.items())
    assert found.least_gpus <= found.gpus_used == len(held)


LOADS = st.lists(
    st.tuples(
        st.integers(1, 2), st.one_of(st.none(), st.integers(10, 120)), st.sampled_from((1, 1, 2))
    ),
    min_size=1,
    max_size=3,
)


@given(LOADS, st.lists(st.sampled_from((40, 80)), min_size=1, max_size=4))
@example([(1, 74, 2)], [40, 40])  # Half of it is more than an engine may use of 40 GB.
@settings(max_examples=25, deadline=None)
def test_as_few_gpus_as_any_placement_needs(
    wanted: list[tuple[int, int | None, int]], sizes: list[int]
) -> None:
    there = [Gpu(n, f"{gb} GB", gb * GB, gb * GB, node="a") for n, gb in enumerate(sizes)]
    needs = [need(number, *each) for number, each in enumerate(wanted)]
    found, best = pack(needs, there), fewest_by_search(needs, there)
    assert (found is None) == (best is None)
    if found is not None:
        check(found, needs, there)
        assert found.gpus_used == best


def test_joint_placement_fits_models_that_sequential_placement_does_not() -> None:
    """The two larger ones are spread, and then the third of the others has no room."""
    needs, there = [need(0, 2, 46), replace(need(1, 3, 30), most=4)], gpus(2)
    with pytest.raises(NoRoom):
        place([needs[0], replace(needs[1], most=3)], there)
    with pytest.raises(ConfigError, match=r"models\.1\.max_replicas: got 4"):
        seats_of(needs, there)
    larger, smaller = seats_of([needs[0], replace(needs[1], most=3)], there)
    assert len({seat.gpu.label for seat in larger}) == 1
    assert len({seat.gpu.label for seat in smaller}) == 1


def test_a_thousand_gpus_and_ten_models() -> None:
    there = [each for node in range(125) for each in gpus(8, node=f"n{node}")]
    needs = [need(number, 40 + 7 * number, 9 + 4 * number) for number in range(8)]
    needs += [need(8, 20, 120, wide=2), need(9, 10, None, wide=4)]
    found = pack(needs, there)
    assert found is not None
    check(found, needs, there)
    assert found.gpus_used <= 1.02 * found.least_gpus


def test_more_than_there_is_has_no_packing() -> None:
    assert pack([need(0, 3, None)], gpus(2)) is None
    assert pack([need(0, 1, None, wide=2)], gpus(1)) is None


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "highspy", None)
    needs = [need(0, 3, None)]
    with pytest.raises(NoRoom, match=r"The extra \[placement\]") as refused:
        seats_of([replace(each, most=each.least) for each in needs], gpus(2))
    assert isinstance(refused.value, ConfigError)

"""Seats for all replicas: placed one after another, and where that fails, all at once."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from cato_backend.engines.nvml import Gpu
from cato_backend.errors import NoRoom
from cato_backend.inventory.needs import Need, Seat
from cato_backend.inventory.packing import pack
from cato_backend.inventory.placement import SeatPlan, place


def seats_of(needs: Sequence[Need], gpus: Sequence[Gpu]) -> tuple[tuple[Seat, ...], ...]:
    """Return the seats of each model, as `place` does; with HiGHS also where `place` finds no room.

    Raises ConfigError naming the field that has to change.
    """
    try:
        return place(needs, gpus)
    except NoRoom as error:
        if importlib.util.find_spec("highspy") is None:
            raise NoRoom(
                f"{error}. The extra [placement] (highspy) tries all placements at once: pip"
                " install 'cato-lsp[placement]'"
            ) from None
        found = pack(needs, gpus)
        if found is None:
            raise
    plan = SeatPlan(needs, gpus)
    for model, places in found.places:
        plan.take(model, places)
    plan.take_the_rest()
    return plan.all()

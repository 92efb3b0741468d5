"""What a replica runs on is known beyond its end, so that its last requests have a price."""

from __future__ import annotations

from cato_backend.fleet.states import MOST_GONE, Hardware, KnownHardware

L40S = Hardware("l40s", 2.0)


def test_a_replica_that_is_gone_keeps_its_hardware() -> None:
    known = KnownHardware()
    known.note("a", L40S)
    known.leaves("a")
    assert known.of("a") == L40S
    known.note("a", Hardware("l4"))
    assert known.of("a") == Hardware("l4"), "one of the same name that came later"
    assert known.of("never") == Hardware()


def test_those_that_left_first_are_forgotten_first() -> None:
    known = KnownHardware()
    for number in range(MOST_GONE + 1):
        known.note(str(number), L40S)
        known.leaves(str(number))
    assert known.of("0") == Hardware()
    assert known.of("1") == known.of(str(MOST_GONE)) == L40S

"""The replicas with room, and those with an open slot, are listed as they would be found."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cato_backend.scheduling.attempt import Attempt
from cato_backend.scheduling.ledger import Ledger
from cato_backend.scheduling.replica import ReplicaLoad
from tests.fast.scheduling.stories import MODEL, request

SLOTS = {"a": 1, "b": 3, "c": 4, "d": 9}
CHANGES = ("open", "close", "drain", "resume", "suspend", "serve", "others", "alone")
STEPS = st.lists(st.tuples(st.sampled_from(CHANGES), st.sampled_from(sorted(SLOTS))), max_size=60)


@given(steps=STEPS)
def test_the_lists_are_what_a_look_at_every_replica_finds(steps: list[tuple[str, str]]) -> None:
    ledger = Ledger()
    for name, slots in SLOTS.items():
        ledger.add_replica(ReplicaLoad(name, MODEL, slots))
    for number, (change, name) in enumerate(steps):
        apply(ledger, change, name, number)
        replicas = [ledger.replica(each) for each in sorted(SLOTS)]
        assert ledger.with_room(MODEL) == [each for each in replicas if each.has_room]
        assert ledger.with_open_slot(MODEL) == [each for each in replicas if each.has_open_slot]
        assert ledger.slots(MODEL) == sum(each.max_running for each in replicas)


def apply(ledger: Ledger, change: str, name: str, number: int) -> None:
    """One change of one replica, where it is possible."""
    replica = ledger.replica(name)
    match change:
        case "open" if replica.has_room:
            asked = request(f"r{number}")
            ledger.open(Attempt(asked, 1, name, emitted=0, prompt_tokens=asked.prompt_tokens))
        case "close" if replica.attempts:
            ledger.close(next(iter(replica.attempts)))
        case "drain":
            ledger.drain_replica(name)
        case "resume":
            ledger.resume_replica(name)
        case "suspend":
            ledger.suspend(name)
        case "serve":
            ledger.resume(name)
        case "others":
            ledger.set_others(name, 2)
        case "alone":
            ledger.set_others(name, 0)
        case _:
            pass

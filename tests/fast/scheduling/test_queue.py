"""The central queue of one model."""

from __future__ import annotations

from cato_backend.scheduling.queue import Queue, Waiting
from tests.fast.scheduling.stories import request


def queue_of(**places: float) -> Queue:
    queue = Queue()
    for name, place in places.items():
        queue.put(Waiting(request(name), expires=9.0, gives_up=9.0), (place,))
    return queue


def order(queue: Queue) -> list[str]:
    return [waiting.request.id for waiting in queue]


def test_who_sleeps_keeps_its_place_and_is_not_shown() -> None:
    queue = queue_of(a=1.0, b=2.0, c=3.0)
    queue.sleep("b")
    assert (order(queue), len(queue)) == (["a", "c"], 3)
    assert "b" in queue
    queue.wake("b")
    assert order(queue) == ["a", "b", "c"]


def test_sleeping_requests_can_be_removed_and_get_no_alarm() -> None:
    queue = queue_of(a=1.0, b=2.0)
    queue.sleep("b")
    taken = queue.take("b")
    assert taken is not None
    assert taken.request.id == "b"
    queue.wake("b")
    assert (order(queue), len(queue)) == (["a"], 1)


def test_to_sleep_or_wake_twice_is_to_do_it_once() -> None:
    queue = queue_of(a=1.0, b=2.0)
    queue.sleep("a")
    queue.sleep("a")
    assert order(queue) == ["b"]
    queue.wake("a")
    queue.wake("a")
    assert order(queue) == ["a", "b"]

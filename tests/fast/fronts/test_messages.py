"""The protocol between fronts and the scheduler: messages, errors, flow control."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cato_backend.errors import (
    InvalidRequest,
    NotFound,
    Overloaded,
    RequestError,
    ShuttingDown,
    TokenExpired,
)
from cato_backend.fronts.link import Link, Order
from cato_backend.fronts.messages import (
    WINDOW_BYTES,
    AnswerBegun,
    AnswerBytes,
    AnswerEnded,
    Ask,
    ErrorFields,
    FromFront,
    Identified,
    Identify,
    Leave,
    Report,
    Taken,
    from_front,
    packed,
    to_front,
)
from cato_backend.gateway.drafts import completion_draft
from cato_backend.gateway.headers import parse_headers
from cato_backend.runtime.calls import Sink, Started
from cato_backend.runtime.replica_errors import PromptTooLong
from cato_backend.wire.headers import Task

STARTED = Started("id", Task.COMPLETION, "replica-1", 0.01, 0.2, 0.5)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda below: st.lists(below) | st.dictionaries(st.text("abc", min_size=1), below),
    max_leaves=10,
)


def ask(number: int = 1, **body: Any) -> Ask:
    draft = completion_draft({"prompt": "def f(", "suffix": ")", "stream": True, **body})
    headers = {
        "x-cato-session": "s",
        "x-slo-ttft-ms": "250",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
    return Ask(number, b"Bearer \xff", 0.25, b"\xfe", parse_headers(headers, "t"), draft)


@given(extra=VALUES, cuts=st.lists(st.integers(0, 5000), max_size=8))
def test_what_is_unpacked_is_what_was_packed_wherever_it_is_cut(
    extra: object, cuts: list[int]
) -> None:
    sent: list[FromFront] = [ask(1, extra=extra), Leave(1), Taken(2, 70_000), ask(3)]
    data, unpacker, found = b"".join(map(packed, sent)), from_front(), list[FromFront]()
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for start, end in pairwise(places):
        found += unpacker.feed(data[start:end])
    assert found == sent


@pytest.mark.parametrize(
    "error",
    [
        InvalidRequest("prompt: got None", param="prompt"),
        NotFound("no such model", param="model"),
        Overloaded("the queue is full", retry_after_s=1.5),
        ShuttingDown("the server ends", retry_after_s=2.0),
        TokenExpired("it expired"),
        PromptTooLong("too long", param="prompt"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_is_the_same_on_the_other_side(error: RequestError) -> None:
    (message,) = to_front().feed(packed(AnswerEnded(7, ErrorFields.of(error))))
    assert isinstance(message, AnswerEnded)
    assert message.error is not None
    again = message.error.error()
    assert type(again) is type(error)
    assert again.body() == error.body()
    assert again.retry_after_s == error.retry_after_s


class Transport(asyncio.WriteTransport):
    """Keeps what a front sends."""

    def __init__(self) -> None:
        super().__init__()
        self._unpacker = from_front()
        self.sent: list[FromFront] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += self._unpacker.feed(bytes(data))


class Reader(Sink):
    """A client that takes what it is given once `reads` is set."""

    def __init__(self) -> None:
        self.reads = asyncio.Event()
        self.taken = b""
        self.began: Started | None = None

    async def begin(self, started: Started) -> None:
        self.began = started

    async def write(self, data: bytes) -> None:
        await self.reads.wait()
        self.taken += data

    def write_now(self, data: bytes) -> bool:
        if not (self.reads.is_set() and self.taken):
            return False
        self.taken += data
        return True


def linked(orders: list[Order] | None = None) -> tuple[Link, Transport]:
    link, transport = Link((orders or []).append), Transport()
    link.connection_made(transport)
    return link, transport


def bring(link: Link, messages: Iterable[Any]) -> None:
    link.data_received(b"".join(map(packed, messages)))


async def called(link: Link, transport: Transport, sink: Sink) -> tuple[asyncio.Task[None], int]:
    """A call that has been sent, and its number."""
    one = ask()
    task = asyncio.create_task(link.run("Bearer x", 0.0, one.source, one.given, one.draft, sink))
    await asyncio.sleep(0)
    sent = transport.sent[-1]
    assert isinstance(sent, Ask)
    return task, sent.number


async def test_answers_side_by_side_keep_their_order() -> None:
    link, transport = linked()
    sinks = [Reader(), Reader()]
    calls = [await called(link, transport, sink) for sink in sinks]
    (one, first), (two, second) = calls
    assert first != second
    sinks[0].reads.set()
    sinks[1].reads.set()
    bring(link, [AnswerBegun(first, STARTED), AnswerBytes(second, b"B"), AnswerBytes(first, b"a1")])
    bring(link, [AnswerBytes(first, b"a2"), AnswerBytes(second, b"C"), AnswerEnded(second, None)])
    await two
    bring(link, [AnswerBytes(first, b"a3"), AnswerEnded(first, None)])
    await one
    assert [sink.taken for sink in sinks] == [b"a1a2a3", b"BC"]
    assert sinks[0].began == STARTED
    assert not any(isinstance(each, Leave) for each in transport.sent)


async def test_what_left_for_the_client_is_told_and_nothing_else() -> None:
    link, transport = linked()
    reader = Reader()
    task, number = await called(link, transport, reader)
    bring(
        link,
        [
            AnswerBegun(number, STARTED),
            *(AnswerBytes(number, bytes(WINDOW_BYTES // 4)) for _ in "123"),
        ],
    )
    for _ in range(5):
        await asyncio.sleep(0)
    assert not any(isinstance(each, Taken) for each in transport.sent)
    reader.reads.set()
    bring(link, [AnswerEnded(number, None)])
    await task
    told = [each.size for each in transport.sent if isinstance(each, Taken)]
    assert sum(told) == len(reader.taken) == 3 * WINDOW_BYTES // 4


async def test_a_call_that_is_cancelled_is_left_and_what_still_comes_is_dropped() -> None:
    link, transport = linked()
    task, number = await called(link, transport, Reader())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert transport.sent[-1] == Leave(number)
    bring(
        link,
        [AnswerBegun(number, STARTED), AnswerBytes(number, b"late"), AnswerEnded(number, None)],
    )


async def test_the_end_of_the_scheduler_ends_every_call_with_an_error() -> None:
    link, transport = linked()
    task, _ = await called(link, transport, Reader())
    asking = asyncio.create_task(link.identify("Bearer y"))
    await asyncio.sleep(0)
    link.connection_lost(None)
    for each in (task, asking):
        with pytest.raises(ShuttingDown):
            await each
    assert link.lost.is_set()
    with pytest.raises(ShuttingDown):
        await link.identify("Bearer z")


async def test_a_client_that_was_let_in_is_not_asked_about_again_for_a_while() -> None:
    now = 0.0
    transport = Transport()
    link = Link(lambda _: None, lambda: now)
    link.connection_made(transport)

    async def identified(error: ErrorFields | None) -> None:
        asking = asyncio.create_task(link.identify("Bearer x"))
        await asyncio.sleep(0)
        question = transport.sent[-1]
        assert isinstance(question, Identify)
        bring(link, [Identified(question.number, error)])
        await asking

    refused = ErrorFields.of(TokenExpired("it expired"))
    for _ in range(2):
        with pytest.raises(TokenExpired):
            await identified(refused)
    await identified(None)
    asked = len(transport.sent)
    await link.identify("Bearer x")
    assert len(transport.sent) == asked
    now = 60.0
    with pytest.raises(TokenExpired):
        await identified(refused)


async def test_orders_come_in_their_sequence() -> None:
    orders: list[Order] = []
    link = Link(orders.append)
    link.connection_made(Transport())
    bring(link, [Report(), AnswerBytes(99, b"of nobody"), Report()])
    assert orders == [Report(), Report()]

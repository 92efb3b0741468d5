"""Events survive being cut anywhere, and a peer that never ends one is refused."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cato_backend.wire.sse import DONE, Event, EventReader, MalformedStream, event

# Line ends inside data are data lines of their own; CR alone would be a line end too.
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r"), min_size=1)
EVENTS = st.lists(st.tuples(TEXTS, st.none() | st.sampled_from(["delta", "result"])), max_size=8)


@given(
    events=EVENTS,
    cuts=st.lists(st.integers(0, 400)),
    line_end=st.sampled_from([b"\n", b"\r\n", b"\r"]),
    mark=st.booleans(),
)
def test_events_survive_being_cut_anywhere(
    events: list[tuple[str, str | None]], cuts: list[int], line_end: bytes, mark: bool
) -> None:
    stream = b"".join(event(data, name) for data, name in events).replace(b"\n", line_end)
    stream = b"\xef\xbb\xbf" * mark + stream
    places = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    reader = EventReader()
    found: list[Event] = []
    for start, end in pairwise(places):
        found += reader.feed(stream[start:end])
    assert [(e.data, e.name) for e in found] == [(data, name or "message") for data, name in events]
    assert not reader.unfinished


def test_the_very_bytes_are_kept() -> None:
    raw = b'data: {"a": 1}\n\n'
    assert [e.raw for e in EventReader().feed(raw + b"data: [DONE]\n\n")] == [
        raw,
        b"data: [DONE]\n\n",
    ]


def test_comments_and_events_without_data_are_not_events() -> None:
    assert EventReader().feed(b": ping\n\nevent: nothing\n\nid: 3\n\n") == []


def test_what_follows_the_colon_loses_one_space_only() -> None:
    (found,) = EventReader().feed(b"data:  two\ndata:none\n\n")
    assert found.data == " two\nnone"


def test_an_event_ends_with_its_last_byte_whatever_the_line_end() -> None:
    """A CR is not held back for the LF that may follow it."""
    reader = EventReader()
    assert [e.data for e in reader.feed(b"data: a\r\r")] == ["a"]
    assert [e.data for e in reader.feed(b"\ndata: b\r\n\r")] == ["b"]


def test_what_only_its_sender_needs_is_not_passed_on() -> None:
    (found,) = EventReader().feed(b": ping\nid: 7\nretry: 10\nevent: chunk\ndata:a\ndata: b\n\n")
    assert found == Event("chunk", "a\nb", b"data: a\ndata: b\n\n")


@pytest.mark.parametrize(
    ("stream", "data"),
    [(b"error: broken\n\n", "broken"), (b"event: error\ndata: broken\n\n", "broken"),
     (b"event: error\n\n", "")],
)  # fmt: skip
def test_errors_have_their_name(stream: bytes, data: str) -> None:
    (found,) = EventReader().feed(stream)
    assert (found.name, found.data) == ("error", data)


@pytest.mark.parametrize("end", [b"", b"\n", b"\r", b"\r\n"])
def test_the_last_event_needs_no_blank_line(end: bytes) -> None:
    reader = EventReader()
    assert reader.feed(b"data: a" + end) == []
    assert [e.data for e in reader.end()] == ["a"]
    assert reader.end() == []


def test_an_event_without_end_is_refused_in_time() -> None:
    reader = EventReader(limit=100)
    with pytest.raises(MalformedStream, match="longer than 100 bytes"):
        reader.feed(b"data: " + b"x" * 200)


def test_bytes_that_are_no_text_are_refused_by_place() -> None:
    with pytest.raises(MalformedStream, match="byte 6"):
        EventReader().feed(b"data: \xff\n\n")


def test_an_unfinished_event_is_known() -> None:
    reader = EventReader()
    reader.feed(b"data: a")
    assert reader.unfinished


def test_done_is_an_event_like_any_other() -> None:
    (found,) = EventReader().feed(event(DONE))
    assert found.data == DONE

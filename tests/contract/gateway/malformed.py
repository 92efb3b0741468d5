"""Bytes that are hardly HTTP, and what a server may answer to them."""

from __future__ import annotations

import json
import re

from hypothesis import strategies as st

BODY = b'{"prompt": "x", "max_tokens": 2}'
LENGTH = b"content-length: %d" % len(BODY)
CHUNKED = b"transfer-encoding: chunked"


def post(
    *headers: bytes,
    body: bytes = BODY,
    path: bytes = b"/v1/completions",
    line: bytes = b"POST %b HTTP/1.1",
) -> bytes:
    """A request that would be served if its headers were right."""
    lines = (line.replace(b"%b", path), b"host: localhost", *headers)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def get(path: bytes, *headers: bytes) -> bytes:
    """A request without a body."""
    return post(*headers, body=b"", path=path, line=b"GET %b HTTP/1.1")


REFUSED: dict[str, bytes] = {
    "expectation": post(LENGTH, b"expect: a-miracle"),
    "expectation on no path": post(LENGTH, b"expect: a-miracle", path=b"/nowhere"),
    "expectation on a get": get(b"/health", b"expect: 100-continue, more"),
    "two lengths": post(LENGTH, b"content-length: 3"),
    "length of letters": post(b"content-length: abc"),
    "length below zero": post(b"content-length: -1"),
    "length with a sign": post(b"content-length: +5"),
    "length beyond all": post(b"content-length: " + b"9" * 30),
    "length and chunks": post(LENGTH, CHUNKED),
    "unknown transfer encoding": post(b"transfer-encoding: gzip"),
    "chunk size of letters": post(CHUNKED, body=b"zz\r\nabc\r\n0\r\n\r\n"),
    "chunk size below zero": post(CHUNKED, body=b"-1\r\nabc\r\n0\r\n\r\n"),
    "chunk size beyond all": post(CHUNKED, body=b"f" * 19 + b"\r\nabc"),
    "chunk longer than said": post(CHUNKED, body=b"2\r\nabcdef\r\n0\r\n\r\n"),
    "second chunk": post(CHUNKED, body=b"20\r\n" + BODY + b"\r\nzz\r\n"),
    "nul in a header": post(LENGTH, b"x: a\0b"),
    "header without a colon": post(LENGTH, b"xyz"),
    "space before the colon": post(LENGTH, b"x : y"),
    "folded header": post(LENGTH, b"x: y\r\n z"),
    "bare line feeds": post(LENGTH).replace(b"\r\n", b"\n"),
    "long header": post(LENGTH, b"x: " + b"y" * 9000),
    "long path": post(LENGTH, path=b"/" + b"y" * 9000),
    "many headers": post(LENGTH, *[b"x%d: y" % n for n in range(200)]),
    "no host": b"GET /health HTTP/1.1\r\n\r\n",
    "two hosts": post(LENGTH, b"host: localhost"),
    "old version": post(LENGTH, line=b"POST %b HTTP/0.9"),
    "new version": post(LENGTH, line=b"POST %b HTTP/2.0"),
    "no such version": post(LENGTH, line=b"POST %b HTTP/9.9"),
    "http/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "method in small letters": post(LENGTH, line=b"post %b HTTP/1.1"),
    "unknown method": post(LENGTH, line=b"FOO %b HTTP/1.1"),
    "two words of method": post(LENGTH, line=b"F OO %b HTTP/1.1"),
    "connect": post(line=b"CONNECT example.com:443 HTTP/1.1", body=b""),
    "options of all": post(line=b"OPTIONS * HTTP/1.1", body=b""),
    "broken authority": get(b"http://[::1"),
    "two slashes": get(b"//health"),
    "no path": get(b""),
    "path without a slash": get(b"health"),
    "path that is no text": get(b"/v1/models/%ff%00%zz"),
    "bytes in a path": get(b"/\xff\xfe"),
    "old websocket": post(LENGTH, b"sec-websocket-key1: x"),
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "request id of bytes": post(LENGTH, b"x-request-id: \xff"),
}

_FINE = (
    post(LENGTH, b"connection: close"),
    post(CHUNKED, b"connection: close", body=b"20\r\n" + BODY + b"\r\n0\r\n\r\n"),
    get(b"/v1/models/cato", b"connection: close"),
)
_INSERTED = (
    b"\r\n", b"\n", b"\r", b"\0", b" ", b":", b"\t", b"\xff", b"%", b"%ff", b"?", b"#", b"chunked",
    b"gzip", b"expect: x\r\n", b"content-length: 1\r\n", b"upgrade: h2c\r\n", b"9" * 20, b"{" * 300,
)  # fmt: skip
_EDITS = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.integers(0, 4),
        st.one_of(st.sampled_from(_INSERTED), st.binary(max_size=3)),
    ),
    min_size=1,
    max_size=4,
)


def mutated(token: str) -> st.SearchStrategy[bytes]:
    """Requests that would be served, with some bytes removed and others put in."""

    def edited(fine: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
        data = bytearray(
            fine.replace(b"\r\n", b"\r\nauthorization: Bearer " + token.encode() + b"\r\n", 1)
        )
        for place, removed, inserted in edits:
            at = int(place * len(data))
            data[at : at + removed] = inserted
        return bytes(data)

    return st.builds(edited, st.sampled_from(_FINE), _EDITS)


def check(answers: bytes) -> list[int]:
    """The statuses. Every one is below 500, and every refusal is OpenAI's error object."""
    statuses = [int(status) for status in re.findall(rb"HTTP/\d\.\d (\d{3}) ", answers)]
    assert all(status < 500 for status in statuses), answers
    refused = sum(status >= 400 for status in statuses)
    objects = re.findall(rb'\r\n\r\n(\{"error":.*?\}\})', answers)
    assert len(objects) == refused, answers
    for found in objects:
        error = json.loads(found)["error"]
        assert set(error) == {"message", "type", "param", "code"}
    return statuses

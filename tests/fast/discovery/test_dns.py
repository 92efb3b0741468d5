"""Names are looked up for real: by the system, and at a name server of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from cato_backend.config import DiscoveryConfig
from cato_backend.discovery.dns import AddressSource, ServiceSource
from cato_backend.errors import SourceUnavailable

CONFIG = DiscoveryConfig(interval_s=0.01)
RECORD = "_http._tcp.vllm.example."


class NameServer(asyncio.DatagramProtocol):
    """Answers SRV questions about one name with the records that the test sets."""

    def __init__(self) -> None:
        self.records: list[str] = []
        self._transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        question = dns.message.from_wire(data)
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.RA
        if str(question.question[0].name) == RECORD and self.records:
            answer.answer.append(dns.rrset.from_text(RECORD, 5, "IN", "SRV", *self.records))
        else:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self._transport.sendto(answer.to_wire(), addr)

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._transport.get_extra_info("sockname")
        return host, port


@pytest.fixture
async def server() -> AsyncIterator[NameServer]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(
        NameServer, local_addr=("127.0.0.1", 0)
    )
    yield protocol
    transport.close()


async def test_each_address_of_a_name_is_a_replica() -> None:
    listing = await anext(AddressSource("127.0.0.1", 8000, CONFIG).follow())
    assert [each.url for each in listing.replicas] == ["http://127.0.0.1:8000"]
    listing = await anext(AddressSource("::1", 8000, CONFIG).follow())
    assert [each.url for each in listing.replicas] == ["http://[::1]:8000"]


async def test_a_name_that_does_not_exist_is_named() -> None:
    with pytest.raises(SourceUnavailable, match=r"cannot be resolved|does not answer"):
        await anext(AddressSource("no-such-name.invalid", 8000, CONFIG).follow())


async def test_the_targets_of_the_best_priority_are_replicas(server: NameServer) -> None:
    follow = ServiceSource(RECORD.rstrip("."), CONFIG, server.address).follow()
    server.records = ["10 5 8001 a.example.", "10 5 8002 b.example.", "20 5 8003 spare.example."]
    listing = await anext(follow)
    assert [each.url for each in listing.replicas] == [
        "http://a.example:8001",
        "http://b.example:8002",
    ]
    server.records = ["20 5 8003 spare.example."]
    listing = await anext(follow)
    assert [each.url for each in listing.replicas] == ["http://spare.example:8003"]
    server.records = []
    with pytest.raises(SourceUnavailable, match="SRV records cannot be had"):
        await anext(follow)


@pytest.mark.parametrize(
    "bad", ["10 5 8001 .", "10 5 8001 a/b.", "10 5 8001 a\\032b.", "10 5 0 a."]
)
async def test_a_target_that_is_no_server_is_named_and_the_others_are_used(
    server: NameServer, bad: str
) -> None:
    follow = ServiceSource(RECORD.rstrip("."), CONFIG, server.address).follow()
    server.records = [bad, "10 5 8002 b.example."]
    listing = await anext(follow)
    assert [each.url for each in listing.replicas] == ["http://b.example:8002"]
    assert "expected" in listing.complaint

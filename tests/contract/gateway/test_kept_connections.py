"""Connections to replicas that are closed, reset or lost between two requests."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from asyncio.subprocess import PIPE

import pytest

from tests.contract.gateway.site import Site

pytestmark = pytest.mark.asyncio(loop_scope="package")

_NAMESPACE = ("unshare", "--user", "--map-root-user", "--net")


def _can_isolate_networks() -> bool:
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return False
    return subprocess.run([*_NAMESPACE, "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("stream", [True, False])
async def test_connections_that_the_replica_closes_cost_no_attempt(
    single: Site, stream: bool
) -> None:
    """The request reaches a connection that the replica has just reset."""
    await single.fake.change(requests_per_connection=1)
    before = await single.total("cato_retries_total")
    body = {"prompt": "x", "stream": stream, "max_tokens": 3}
    answers = [await single.post(body) for _ in range(4)]
    assert [answer.status for answer in answers] == [200] * 4
    assert len(single.fake.requests) == 4
    assert await single.total("cato_retries_total") == before


@pytest.mark.skipif(not _can_isolate_networks(), reason="no network namespaces on this machine")
async def test_a_replica_whose_network_goes_down_is_noticed() -> None:
    """It sends neither FIN nor RST; nothing but TCP's own time-outs tells of it."""
    process = await asyncio.create_subprocess_exec(
        *(*_NAMESPACE, sys.executable, "-m", "tests.contract.gateway.vanishing"), stdout=PIPE
    )
    try:
        async with asyncio.timeout(30):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    said = json.loads(output)
    assert said["before"]["error"] is said["after"]["error"] is None
    assert said["kept"]["error"] is not None
    assert said["in mid-stream"]["error"] is not None
    assert max(outcome["seconds"] for outcome in said.values()) < 10

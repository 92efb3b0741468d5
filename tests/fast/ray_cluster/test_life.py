"""One life as the gateway knows it: what it waits for ends by what the cluster tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from cato_backend.errors import EngineError, ReplicaLost
from cato_backend.ray_cluster.life import RayLife


@pytest.fixture
async def life(tmp_path: Path) -> RayLife:
    return RayLife(tmp_path / "logs" / "replica-1.log", lambda text: None)


async def test_an_engine_that_ends_tells_its_status(life: RayLife) -> None:
    life.start("http://10.0.0.1:8000", "10.0.0.1")
    assert await life.started == "http://10.0.0.1:8000"
    life.end(137)
    life.end(0)
    assert life.why() == "signal 9"


async def test_a_node_that_dies_before_the_start_is_no_fault_of_the_engine(life: RayLife) -> None:
    life.lose_start("the connection was lost")
    with pytest.raises(ReplicaLost, match="connection was lost"):
        await life.started


async def test_a_node_that_dies_while_it_loads_is_none_either(life: RayLife) -> None:
    life.start("http://10.0.0.1:8000", "10.0.0.1")
    life.lose_start("not any more")
    assert not life.ended.done()
    life.fail(ReplicaLost("its node died"))
    with pytest.raises(ReplicaLost, match="its node died"):
        life.why()


async def test_an_engine_that_cannot_be_started_is_given_up(life: RayLife) -> None:
    life.fail(EngineError("no gpu engine is installed"))
    with pytest.raises(EngineError, match="no gpu engine") as raised:
        await life.started
    assert not isinstance(raised.value, ReplicaLost)


async def test_its_log_is_written_here(life: RayLife, tmp_path: Path) -> None:
    life.write_log(b"first\n", 6)
    life.write_log(b"second\n", 13)
    life.close()
    assert (tmp_path / "logs" / "replica-1.log").read_bytes() == b"first\nsecond\n"
    assert life.log_offset == 13

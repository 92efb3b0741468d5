"""A server for many editors asks each of them for its token."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from bench.lsp_typing import framed
from tests.contract.lsp.launching import environment, listening_at
from tests.secret_files import secret_file


async def _answer(address: tuple[str, int], token: str | None) -> bytes:
    """What a client with that token is answered before the server hangs up, or at first."""
    reader, writer = await asyncio.open_connection(*address)
    options = {"server": {"token": token}}
    params = {"processId": None, "capabilities": {}, "initializationOptions": options}
    writer.write(framed({"id": 1, "method": "initialize", "params": params}))
    answer = await reader.read(64)
    writer.close()
    return answer


@pytest.mark.parametrize("transport", ["tcp", "ws"])
async def test_only_clients_with_the_token_are_answered(tmp_path: Path, transport: str) -> None:
    token_file = secret_file(tmp_path / "token", "right\n")
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cato_lsp", f"--{transport}", "--port", "0"),
        *("--token-file", str(token_file)),
        env=environment(tmp_path),
        stderr=PIPE,
    )
    try:
        assert server.stderr is not None
        address = listening_at((await server.stderr.readline()).decode())
        if transport == "tcp":
            assert await _answer(address, "wrong") == b""
            assert await _answer(address, None) == b""
            assert (await _answer(address, "right")).startswith(b"Content-Length")
        else:
            await _over_websocket(address)
    finally:
        server.terminate()
        await server.communicate()


async def _over_websocket(address: tuple[str, int]) -> None:
    params = {"processId": None, "capabilities": {}}
    hello = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})
    url = f"ws://{address[0]}:{address[1]}"
    async with connect(url) as socket:
        await socket.send(hello)
        assert [message async for message in socket] == []
    async with connect(url, additional_headers={"Authorization": "Bearer right"}) as socket:
        await socket.send(hello)
        assert "capabilities" in str(await socket.recv())


def test_without_a_token_it_listens_to_this_machine_only() -> None:
    command = [sys.executable, "-m", "cato_lsp", "--tcp", "--port", "0", "--host", "0.0.0.0"]
    clean = {name: value for name, value in os.environ.items() if name != "CATO_LSP_TOKEN"}
    done = subprocess.run(
        command, env=clean, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "--token-file" in done.stderr


async def test_a_token_file_for_everybody_is_refused(tmp_path: Path) -> None:
    token_file = secret_file(tmp_path / "token", "right\n")
    token_file.chmod(0o644)
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cato_lsp", "--tcp", "--port", "0"),
        *("--token-file", str(token_file)),
        env=environment(tmp_path),
        stderr=PIPE,
    )
    _, said = await server.communicate()
    assert server.returncode != 0
    assert f"run: chmod 600 {token_file}" in said.decode()

"""Starts `cato serve` processes, reads what they say, and ends them whatever the test does."""

from __future__ import annotations

import asyncio
import os
import re
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.commands import CATO, NO_TOKEN, Ended, run_cato
from tests.secret_files import secret_file

STARTING_S = 30.0
ENDING_S = 15.0


def environment(folder: Path) -> dict[str, str]:
    """This process's environment, with state and cache folders of the test's own."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CATO_")}
    return {
        **inherited,
        "CATO_STATE_DIR": str(folder / "state"),
        "CATO_CACHE_DIR": str(folder / "cache"),
    }


class Serve:
    """A `cato serve` process."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.said = ""
        """All that it wrote to standard error."""
        self._news = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    @property
    def url(self) -> str:
        """Where it listens."""
        found = re.search(r"listening on ([^\s\"]+)", self.said)
        assert found is not None, self.said
        return found[1]

    async def wait_said(self, words: str, times: int = 1) -> None:
        """Returns as soon as the words were written so often."""
        async with asyncio.timeout(STARTING_S), self._news:
            await self._news.wait_for(
                lambda: self.said.count(words) >= times or self._reading.done()
            )
        assert self.said.count(words) >= times, f"cato serve ended: {self.said}"

    async def wait_ended(self, within_s: float = ENDING_S) -> int:
        """Its exit status."""
        async with asyncio.timeout(within_s):
            status = await self.process.wait()
            await self._reading
        return status

    async def end(self) -> int:
        """Ends it by SIGTERM, if it still runs."""
        if self.process.returncode is None:
            self.process.terminate()
        try:
            return await self.wait_ended()
        except TimeoutError:
            self.process.kill()
            raise

    async def _read(self) -> None:
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            async with self._news:
                self.said += line.decode()
                self._news.notify_all()
        async with self._news:
            self._news.notify_all()


async def start(
    folder: Path,
    *arguments: str,
    calibrate: bool = False,
    descriptors: tuple[int, int] | None = None,
) -> Serve:
    """A process of `cato serve ARGUMENTS`; nothing is waited for. Most tests count what replicas
    are sent, and so nothing is calibrated unless it is asked for.

    `descriptors`: its soft and hard limit. With CATO_TEST_GATEWAYS in the environment, every server
    has that many gateways.
    """
    if not calibrate:
        arguments = (*arguments, "--no-calibrate")
    gateways = os.environ.get("CATO_TEST_GATEWAYS")
    if gateways and "--gateways" not in arguments and "--colocated" not in arguments:
        arguments = (*arguments, "--gateways", gateways)
    tokens = () if "--colocated" in arguments else NO_TOKEN
    limits = [] if descriptors is None else ["prlimit", "--nofile={}:{}".format(*descriptors)]
    return Serve(
        await asyncio.create_subprocess_exec(
            *limits,
            *(*CATO, "serve", *tokens, *arguments),
            env=environment(folder),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=PIPE,
        )
    )


async def cato(folder: Path, *arguments: str) -> Ended:
    """How `cato ARGUMENTS` ended, with the state of the servers in `folder`."""
    return await run_cato(environment(folder), *arguments)


async def refusal(folder: Path, *arguments: str) -> str:
    """What a process said whose start is refused with status 1, in one line."""
    serve = await start(folder, *arguments)
    try:
        status = await serve.wait_ended()
    except TimeoutError:
        serve.process.kill()
        raise
    assert status == 1, serve.said
    assert len(serve.said.splitlines()) == 1, serve.said
    return serve.said


@asynccontextmanager
async def serving(
    folder: Path,
    *arguments: str,
    config: str = "",
    replicas: tuple[str, ...] = (),
    descriptors: tuple[int, int] | None = None,
    calibrate: bool = False,
) -> AsyncGenerator[Serve]:
    """A server on a port of its own, with every replica up. It must end well, without a defect."""
    secret_file(folder / "cato.toml", config)
    urls = [part for url in replicas for part in ("--replica", url)]
    own = ("--config", str(folder / "cato.toml"), "--port", "0")
    serve = await start(
        folder, *own, *urls, *arguments, calibrate=calibrate, descriptors=descriptors
    )
    try:
        await serve.wait_said("listening on")
        if replicas:
            await serve.wait_said(": up: ", len(replicas))
        yield serve
    finally:
        status = await serve.end()
    assert status == 0, serve.said
    assert "Traceback" not in serve.said, serve.said

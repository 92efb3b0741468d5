"""The replica that `cato profile` measures: a running one, or one that is started for it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cato_backend.errors import ConfigError, ReplicaUnavailable
from cato_backend.team.database import check_private

if TYPE_CHECKING:
    import aiohttp

    from cato_backend.profiling.profile import Subject
    from cato_backend.replicas.local import LocalSpec
    from cato_backend.replicas.sockets import SocketFolder


@asynccontextmanager
async def subject_of(
    arguments: argparse.Namespace, session: aiohttp.ClientSession, sockets: SocketFolder
) -> AsyncGenerator[Subject]:
    """Yield the replica to profile: the one of --url, or one that is started and stopped here."""
    from cato_backend.config import server_url
    from cato_backend.profiling.profile import Subject
    from cato_backend.replicas.probe import describe

    limits = (arguments.max_num_seqs, arguments.max_num_batched_tokens)
    if arguments.url:
        token = token_in(arguments.token_file)
        url = server_url("--url", arguments.url)
        try:
            replica = await describe(
                session, "profiled", url, model=arguments.served_model, api_key=token
            )
        except ReplicaUnavailable as error:
            raise ConfigError(f"--url: {url}: {error.reason}") from error
        hardware = arguments.hardware or _hardware()
        yield Subject(
            replica,
            replica.model,
            hardware,
            *limits,
            start_s=arguments.start_s,
            long_prefill_token_threshold=arguments.long_prefill_token_threshold,
            engine_pid=arguments.engine_pid,
        )
        return
    async with _launched(arguments, session, sockets) as subject:
        yield subject


@asynccontextmanager
async def _launched(
    arguments: argparse.Namespace, session: aiohttp.ClientSession, sockets: SocketFolder
) -> AsyncGenerator[Subject]:
    from cato_backend.clock import monotonic
    from cato_backend.engines.nvml import detect_gpus
    from cato_backend.profiling.profile import Subject
    from cato_backend.replicas.local import LocalLauncher

    seqs, budget = arguments.max_num_seqs, arguments.max_num_batched_tokens
    spec = _local_spec(arguments.model, seqs, budget)
    print(f"starting {spec.model.name}, log {spec.log}", file=sys.stderr)
    began = monotonic()
    running = await LocalLauncher(spec, session, _note, sockets).launch()
    try:
        replica = await running.wait_ready()
        yield Subject(
            replica,
            spec.model.name,
            arguments.hardware or _hardware(),
            seqs,
            budget,
            start_s=monotonic() - began,
            flags=_flags(spec),
            engine_pid=None if detect_gpus() else running.engine_pid,
        )
    finally:
        await running.stop()


def _local_spec(path: str, max_num_seqs: int, budget: int) -> LocalSpec:
    """As `cato serve` would start it, with the limits that the profile states."""
    from cato_backend.config import EMBEDDED, parse_config
    from cato_backend.fleet.launch import plan_local

    name = "cato-embedded" if path == EMBEDDED else path.rstrip("/").rsplit("/", 1)[-1]
    model = {
        "name": name,
        "path": path,
        # Prompts are measured whole; a law holds for every threshold.
        "engine_args": (
            *("--max-num-batched-tokens", str(budget)),
            *("--long-prefill-token-threshold", "0"),
        ),
    }
    scheduling = {"max_running_per_replica": max_num_seqs}
    (planned,) = plan_local(parse_config({"models": [model], "scheduling": scheduling}))
    return planned.spec


def _flags(spec: LocalSpec) -> tuple[str, ...]:
    """Return the engine's flags, without what says where the model lies and where it is served."""
    from cato_backend.engines.command import Port, invocation

    flags = list(invocation(spec.model, spec.engine, Port(0), "").argv[3:])
    for placing in ("--model", "--served-model-name", "--host", "--port"):
        at = flags.index(placing)
        del flags[at : at + 2]
    return tuple(flags)


def _hardware() -> str:
    """Return the name of this machine's hardware, as profiles are filed under."""
    from cato_backend.engines.nvml import detect_gpus
    from cato_backend.profile_files.hardware import cpu_hardware, gpu_hardware

    gpus = detect_gpus()
    return gpu_hardware(gpus[0].name) if gpus else cpu_hardware(len(os.sched_getaffinity(0)))


def token_in(file: Path | None) -> str | None:
    """Return the token that a file holds.

    Raises ConfigError where it cannot be read, and where every user of the machine can read it.
    """
    if file is None:
        return None
    try:
        check_private("--token-file", file)
        return file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from error


def _note(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)

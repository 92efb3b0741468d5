"""How each router is started in front of the replicas, configured as a careful user would."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.peers.emulators import write_profile
from bench.peers.environments import python_of
from bench.processes import Measured, free_port, running, serve_command

MAX_ONGOING = 64
"""Requests that one replica runs at once: the emulator's max_num_seqs."""

PROFILE = "profile.json"
"""In the run's folder: the emulators' own."""

Command = Callable[[int, Sequence[str], Path], list[str]]
"""Port, replicas' URLs and a folder for files to a command line."""


@dataclass(frozen=True, slots=True)
class Router:
    """One row of the table. `headers`: how `cato load` names classes to it."""

    name: str
    command: Command
    model: str = "cato-emulated"
    headers: str = "none"


def _cato(policy: str, *, told: bool = True) -> Command:
    """`told`: the replicas' own step law as their profile; else it has to learn it."""

    def command(port: int, replicas: Sequence[str], folder: Path) -> list[str]:
        urls = [part for url in replicas for part in ("--replica", url)]
        profile = ["--profile", str(folder / PROFILE)] if told else []
        return serve_command(port, "--policy", policy, *profile, *urls)

    return command


def _rust(name: str, policy: str) -> Command:
    """vllm-router and sglang-router share their command line."""

    def command(port: int, replicas: Sequence[str], _: Path) -> list[str]:
        module = f"{name.replace('-', '_')}.launch_router"
        return [
            *(str(python_of(name)), "-m", module, "--worker-urls", *replicas),
            *("--host", "127.0.0.1", "--port", str(port), "--policy", policy),
            *("--prometheus-port", str(free_port()), "--log-level", "error"),
        ]

    return command


def _ray(port: int, replicas: Sequence[str], _: Path) -> list[str]:
    proxy = Path(__file__).with_name("ray_proxy.py")
    return [str(python_of("ray")), str(proxy), str(port), str(MAX_ONGOING), *replicas]


def _litellm(port: int, replicas: Sequence[str], folder: Path) -> list[str]:
    """Streams pass through its OpenAI-compatible text completion provider."""
    models = [
        {
            "model_name": "cato-emulated",
            "litellm_params": {
                "model": "text-completion-openai/cato-emulated",
                "api_base": f"{url}/v1",
                "api_key": "none",
            },
        }
        for url in replicas
    ]
    router = {"routing_strategy": "least-busy", "num_retries": 0}
    # Loopback only, and no peer is measured with authentication.
    general = {"dangerously_permit_weak_or_unset_master_key": True}
    config = folder / "litellm.yaml"  # JSON is YAML.
    config.write_text(
        json.dumps({"model_list": models, "router_settings": router, "general_settings": general})
    )
    serve = [str(python_of("litellm").with_name("litellm")), "--config", str(config)]
    return [*serve, "--host", "127.0.0.1", "--port", str(port)]


ROUTERS = [
    Router("cato", _cato("cato"), headers="cato"),
    Router("cato without profile", _cato("cato", told=False), headers="cato"),
    Router("cato round-robin", _cato("round-robin"), headers="cato"),
    Router("ray-serve", _ray),
    Router("vllm-router round_robin", _rust("vllm-router", "round_robin")),
    Router("vllm-router power_of_two", _rust("vllm-router", "power_of_two")),
    Router("vllm-router cache_aware", _rust("vllm-router", "cache_aware")),
    Router("sglang-router cache_aware", _rust("sglang-router", "cache_aware")),
    Router("litellm least-busy", _litellm),
    Router("ray-serve +priority", _ray, headers="priority"),
    Router(
        "vllm-router round_robin +priority", _rust("vllm-router", "round_robin"), headers="priority"
    ),
    Router(
        "vllm-router power_of_two +priority",
        _rust("vllm-router", "power_of_two"),
        headers="priority",
    ),
    Router(
        "vllm-router cache_aware +priority", _rust("vllm-router", "cache_aware"), headers="priority"
    ),
    Router(
        "sglang-router cache_aware +priority",
        _rust("sglang-router", "cache_aware"),
        headers="priority",
    ),
    Router("litellm least-busy +priority", _litellm, headers="priority"),
]


@contextmanager
def started(
    router: Router, replicas: Sequence[str], folder: Path, stretch: float
) -> Iterator[tuple[str, Measured]]:
    """Yields the router's URL and its process once a completion passes through it."""
    port = free_port()
    write_profile(folder / PROFILE, stretch)
    log = folder / f"{router.name.replace(' ', '-')}.log"
    with running(router.command(port, replicas, folder), log) as process:
        url = f"http://127.0.0.1:{port}"
        process.wait_until_it_completes(url, router.model)
        yield url, process

"""A backend's reports in `/health`: its replicas, its GPUs and its gateways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, cast

STARTING, UP, ASLEEP, DOWN, FAILED = "starting", "up", "asleep", "down", "failed"


@dataclass(frozen=True, slots=True)
class ReplicaSpeed:
    """Learned speed of one replica."""

    token_ms: float
    """Time of a token that is decoded alone."""
    prompt_ms: float
    """Time of a prompt of 1,000 tokens."""
    spread: float
    """Relative standard deviation of both."""
    windows: int
    """Stretches of its work that this was learned from."""
    age_s: float | None
    """Since the last of them; None before the first of this run."""


@dataclass(frozen=True, slots=True)
class StepLimits:
    """Limits of an engine's step."""

    step_tokens: int
    """New tokens in it."""
    prompt_tokens: int
    """Limit for one prompt beside other requests; 0: none."""

    @property
    def flags(self) -> str:
        """As vLLM is told them."""
        return (
            f"--long-prefill-token-threshold {self.prompt_tokens} "
            f"--max-num-batched-tokens {self.step_tokens}"
        )


@dataclass(frozen=True, slots=True)
class StepReport:
    """The limits of one replica's engine."""

    told: StepLimits | None
    """The limits that it was started with; None where they are not known."""
    advised: StepLimits | None
    """The limits by its speed and the targets; None where its speed is not known."""


@dataclass(frozen=True, slots=True)
class ReplicaReport:
    """One replica. Texts are empty where the backend does not tell."""

    name: str
    state: str
    model: str = ""
    since: str = ""
    """When it came into this state, as ISO 8601 writes it."""
    reason: str = ""
    remedy: str = ""
    speed: ReplicaSpeed | None = None
    """None where the backend does not report it."""
    steps: StepReport | None = None
    """None where the backend does not report it."""


@dataclass(frozen=True, slots=True)
class SourceReport:
    """A cluster, or a list of replicas, that the backend gets replicas from."""

    name: str
    trouble: str
    """Empty where it answers."""
    remedy: str


def read_sources(health: object) -> tuple[SourceReport, ...]:
    """Read the sources in the body of `/health`; return none if there are none."""
    return tuple(
        SourceReport(*(str(entry.get(field) or "") for field in ("name", "trouble", "remedy")))
        for entry in _entries(health, "sources")
    )


def read_replicas(health: object) -> tuple[ReplicaReport, ...]:
    """Read the body of `/health`; return none if it is not that of CATO's backend."""
    return tuple(_report(entry) for entry in _entries(health, "replicas"))


def _entries(health: object, field: str) -> list[Mapping[str, object]]:
    if not isinstance(health, dict):
        return []
    listed = cast("Mapping[str, object]", health).get(field)
    entries = cast("list[object]", listed) if isinstance(listed, list) else []
    return [cast("Mapping[str, object]", entry) for entry in entries if isinstance(entry, dict)]


def _report(entry: Mapping[str, object]) -> ReplicaReport:
    def text(field: str) -> str:
        return str(entry.get(field) or "")

    return ReplicaReport(
        name=text("id"),
        state=text("state") or UP,
        model=text("model"),
        since=text("since"),
        reason=text("reason"),
        remedy=text("remedy"),
        speed=_speed(entry.get("law")),
        steps=_steps(entry.get("step_limits")),
    )


def _steps(value: object) -> StepReport | None:
    """Read the entry's `step_limits`; return None if there are none."""
    if not isinstance(value, dict):
        return None
    steps = cast("Mapping[str, Any]", value)
    return StepReport(_limits(steps.get("told")), _limits(steps.get("advised")))


def _limits(value: object) -> StepLimits | None:
    try:
        limits = cast("Mapping[str, Any]", value)
        return StepLimits(
            step_tokens=int(limits["max_num_batched_tokens"]),
            prompt_tokens=int(limits["long_prefill_token_threshold"]),
        )
    except (KeyError, TypeError, ValueError):
        return None


def _speed(value: object) -> ReplicaSpeed | None:
    """Read the entry's `law`; return None if it is not as it should be."""
    try:
        law = cast("Mapping[str, Any]", value)
        age_s = law["age_s"]
        return ReplicaSpeed(
            token_ms=float(law["token_ms"]),
            prompt_ms=float(law["prompt_1k_ms"]),
            spread=float(law["spread"]),
            windows=int(law["windows"]),
            age_s=None if age_s is None else float(age_s),
        )
    except (KeyError, TypeError, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class InventoryGpu:
    """One GPU, or a MIG slice of one."""

    label: str
    name: str
    memory_gb: float
    free_gb: float
    others: int
    """Processes on it that the backend did not start."""


def read_inventory(health: object) -> tuple[InventoryGpu, ...]:
    """Read the GPUs in the body of `/health`; return none if there are none."""
    try:
        listed = cast("Mapping[str, Any]", health)["inventory"]["gpus"]
        return tuple(_gpu(entry) for entry in listed)
    except (KeyError, TypeError, ValueError):
        return ()


def _gpu(entry: Mapping[str, Any]) -> InventoryGpu:
    return InventoryGpu(
        label=str(entry["gpu"]),
        name=str(entry["name"]),
        memory_gb=float(entry["memory_gb"]),
        free_gb=float(entry["free_gb"]),
        others=int(entry["others"]),
    )


@dataclass(frozen=True, slots=True)
class Gateways:
    """How many processes of a backend take connections, and how many should."""

    up: int = 1
    expected: int = 1


def read_gateways(health: object) -> Gateways:
    """Read the gateways in the body of `/health`; one process where it has none."""
    try:
        listed = cast("Mapping[str, Any]", health)["gateways"]
        return Gateways(int(listed["up"]), int(listed["expected"]))
    except (KeyError, TypeError, ValueError):
        return Gateways()


@dataclass(frozen=True, slots=True)
class BackendReports:
    """Reports of a backend about its replicas, their sources, the inventory and itself."""

    replicas: tuple[ReplicaReport, ...] = ()
    sources: tuple[SourceReport, ...] = ()
    gpus: tuple[InventoryGpu, ...] = ()
    gateways: Gateways = Gateways()

    @classmethod
    def read(cls, health: object) -> Self:
        """Read the body of `/health`; what it does not tell is empty."""
        return cls(
            read_replicas(health),
            read_sources(health),
            read_inventory(health),
            read_gateways(health),
        )

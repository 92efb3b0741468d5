"""The sections about where replicas run: Ray, discovery, and the GPUs of an inventory."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from cato_backend.config.fleet import ReplicaConfig, Token
from cato_backend.config.sections import Frozen


class RayConfig(Frozen):
    """[ray]: the cluster on whose nodes the replicas of [[models]] are started."""

    address: str = Field(
        default="",
        description="of a Ray cluster: HOST:PORT, auto, or ray://HOST:PORT; empty starts replicas"
        " on this machine",
    )
    cpus: float = Field(default=1, ge=0, description="CPUs that Ray sets aside for each replica")
    gpus: float | None = Field(
        default=None,
        ge=0,
        description="GPUs, likewise; without it 1, and 0 where engine.kind is cpu or emulated",
    )
    runtime_env: dict[str, Any] = Field(
        default={},
        description="Ray's runtime environment of each replica; with a vLLM in it, that one is"
        " started, else the environment of `cato engine install` on the node",
    )
    orphan_s: float = Field(
        default=600,
        gt=0,
        description="a replica ends itself after this time without a request of a gateway, seconds",
    )

    @model_validator(mode="after")
    def _asks_for_something(self) -> RayConfig:
        if not self.cpus and self.gpus == 0:
            raise ValueError("cpus and gpus must not both be 0")
        return self


class DiscoveryConfig(Frozen):
    """[discovery]: replicas that others run, and whose number changes."""

    sources: tuple[str, ...] = Field(
        default=(),
        strict=False,
        description="a file of URLs, dns://NAME:PORT, dns+srv://NAME, or"
        " k8s://NAMESPACE/SERVICE[:PORT]",
    )
    interval_s: float = Field(
        default=5, gt=0, description="between two looks at a DNS name, seconds; files: 1 s"
    )
    drain_s: float = Field(
        default=300, gt=0, description="longest wait for what runs on a replica that leaves"
    )
    model: str = Field(default="", description="of each of them; empty asks the server")
    fim: str = Field(default="auto", description="fill-in-the-middle family, likewise")
    instruct: bool | None = Field(default=None, description="whether they follow instructions")
    token: Token = Field(default="", description="bearer token of each of them", repr=False)
    max_running: int | None = Field(
        default=None, ge=1, description="overrides the scheduling limit"
    )
    profile: str = Field(default="", description="file of their latency profile")
    kubernetes_api: str = Field(
        default="", description="URL of Kubernetes' API; empty takes that of the pod's cluster"
    )
    kubernetes_account: str = Field(
        default="/var/run/secrets/kubernetes.io/serviceaccount",
        description="folder with `token` and `ca.crt` of a service account",
    )

    def replica(self, /, **told: Any) -> ReplicaConfig:
        """Return a found replica with what was told of it, and these settings for the rest.

        Raises ValueError.
        """
        names = ("model", "fim", "instruct", "token", "max_running", "profile")
        return ReplicaConfig(**{name: getattr(self, name) for name in names} | told)


class InventoryConfig(Frozen):
    """[inventory]: the GPUs that replicas are placed on, and how often they are read."""

    file: str = Field(
        default="",
        description="TOML file of GPUs that are not bought yet, for emulated replicas"
        " (docs/models.md); empty: the GPUs that NVML finds on this machine",
    )
    sample_s: float = Field(
        default=5, gt=0, description="seconds between two readings of the GPUs for /metrics"
    )

"""The sections about replicas: which models are started here, and which servers run elsewhere."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from cato_backend.config.sections import Frozen

EMBEDDED = "embedded"
"""The `path` of the model that ships with the package."""

Name = Annotated[str, Field(min_length=1, max_length=200)]


class ModelConfig(Frozen):
    """[[models]]: a model whose replicas this backend starts."""

    name: Name = Field(description="the name that clients use")
    path: Name = Field(EMBEDDED, description='"embedded", a folder, or a hub name')
    replicas: int = Field(1, ge=1, le=1024, description="how many to start")
    fim: str = Field(
        default="auto", description="fill-in-the-middle family; auto detects, none switches off"
    )
    max_model_len: int | None = Field(default=None, ge=64, description="context in tokens")
    engine_args: tuple[str, ...] = Field(
        default=(), strict=False, description="more arguments for vLLM"
    )
    profile: str = Field(
        default="", description="file of its latency profile; empty looks by hardware and model"
    )


class ReplicaConfig(Frozen):
    """[[replicas]]: an OpenAI-compatible server that somebody else runs."""

    url: str = Field(pattern=r"^https?://[^/]+", description="its root, without /v1")
    model: str = Field(default="", description="the model to use there; empty asks the server")
    fim: str = Field(
        default="auto", description="fill-in-the-middle family; auto detects, none switches off"
    )
    token: str = Field(default="", description="its bearer token", repr=False)
    max_running: int | None = Field(
        default=None, ge=1, description="overrides the scheduling limit"
    )
    profile: str = Field(default="", description="file of its latency profile")


class EngineConfig(Frozen):
    """[engine]: how replicas are started on this machine."""

    kind: Literal["auto", "cpu", "gpu", "emulated"] = Field(
        default="auto",
        description="auto takes the GPU where there is one; emulated answers with pseudo-code, "
        "timed by the profile",
    )
    start_timeout_s: float = Field(
        default=600, gt=0, description="longest start of a replica, seconds"
    )
    max_restarts: int = Field(
        default=5, ge=0, description="restarts of a replica that keeps dying before it is given up"
    )


class ProvisioningConfig(Frozen):
    """[provisioning]: how many replicas of the one local model run, following what is asked."""

    min_replicas: int = Field(default=1, ge=1, le=1024, description="at least so many")
    max_replicas: int = Field(
        default=0, ge=0, le=1024, description="at most so many; 0 keeps to models[].replicas"
    )
    rule: str = Field(default="planned", description="how many there should be")
    settings: dict[str, float] = Field(
        default={}, strict=False, description="of the rule, by name (docs/planning.md)"
    )
    interval_s: float = Field(default=1.0, gt=0, description="between two decisions, seconds")
    drain_s: float = Field(
        default=300, gt=0, description="longest wait for what runs on a replica that is to stop"
    )

    @model_validator(mode="after")
    def _bounds_in_order(self) -> ProvisioningConfig:
        if self.max_replicas and self.max_replicas < self.min_replicas:
            raise ValueError("max_replicas must be 0 or at least min_replicas")
        return self

"""The sections about replicas: which models are started here, and which servers run elsewhere."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from cato_backend.config.sections import SECRET, Frozen
from cato_backend.errors import ConfigError
from cato_backend.wire.addresses import UrlHoldsCredentials, server_root

EMBEDDED = "embedded"
"""The `path` of the model that ships with the package."""

Name = Annotated[str, Field(min_length=1, max_length=200)]


def server_url(field: str, url: str) -> str:
    """Return the server's root, for an argument that is called `field`. Raises ConfigError."""
    try:
        return server_root(url)
    except UrlHoldsCredentials as error:
        raise ConfigError(f"{field}: expected {error}") from error
    except ValueError as error:
        raise ConfigError.of(field, url, str(error)) from error


def _root(url: str) -> str:
    try:
        return server_root(url)
    except UrlHoldsCredentials as error:
        raise PydanticCustomError(SECRET, "{reason}", {"reason": str(error)}) from error


def _header_value(token: str) -> str:
    """Return the token without white space around it.

    Raises PydanticCustomError for what is no header.
    """
    token = token.strip()
    if not token.isascii() or not token.isprintable() or " " in token:
        raise PydanticCustomError(SECRET, "visible ASCII characters without a blank or a line end")
    return token


ServerUrl = Annotated[str, AfterValidator(_root)]
Token = Annotated[str, AfterValidator(_header_value)]


class ModelConfig(Frozen):
    """[[models]]: a model whose replicas this backend starts."""

    name: Name = Field(description="the name that clients use")
    path: Name = Field(
        EMBEDDED, description='"embedded", a name of `cato model list`, a folder, or a hub name'
    )
    replicas: int = Field(1, ge=1, le=1024, description="number of replicas to start")
    min_replicas: int | None = Field(
        default=None,
        ge=0,
        le=1024,
        description="fewest replicas of this model; without it provisioning.min_replicas. 0: it has"
        " none while it gets no requests",
    )
    max_replicas: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="most replicas of this model, in place of `replicas`; without it"
        " provisioning.max_replicas",
    )
    memory_gb: float | None = Field(
        default=None,
        gt=0,
        description="GPU memory of a replica, 10^9 bytes, so that several can share a GPU; without"
        " it a replica takes all that the GPU has",
    )
    tensor_parallel: int = Field(
        default=1,
        ge=1,
        le=64,
        description="GPUs of one node that a replica is spread over; memory_gb is divided among"
        " them",
    )
    sleep: bool = Field(
        default=False,
        description="a replica that is not needed sleeps (vLLM's sleep mode): it keeps its process,"
        " and its weights in main memory, and gives its GPU memory to others",
    )
    fim: str = Field(
        default="auto", description="fill-in-the-middle family; auto detects, none switches off"
    )
    instruct: bool | None = Field(
        default=None,
        description="whether it follows instructions and is asked in a chat; without it, recognized"
        " by its name, its chat template and its tokenizer",
    )
    max_model_len: int | None = Field(default=None, ge=64, description="context in tokens")
    max_num_batched_tokens: int | None = Field(
        default=None,
        ge=64,
        description="new tokens in a step of the engine; chosen by its profile and the targets",
    )
    long_prefill_token_threshold: int | None = Field(
        default=None,
        ge=0,
        description="tokens of one prompt in a step beside other requests; 0: no such limit; "
        "chosen likewise",
    )
    engine_args: tuple[str, ...] = Field(
        default=(), strict=False, description="more arguments for vLLM"
    )
    profile: str = Field(
        default="", description="file of its latency profile; empty looks by hardware and model"
    )


class ReplicaConfig(Frozen):
    """[[replicas]]: an OpenAI-compatible server that this backend does not start."""

    url: ServerUrl = Field(description="its address, such as http://10.0.0.7:8000")
    model: str = Field(default="", description="the model to use there; empty asks the server")
    fim: str = Field(
        default="auto", description="fill-in-the-middle family; auto detects, none switches off"
    )
    instruct: bool | None = Field(
        default=None,
        description="whether it follows instructions and is asked in a chat; without it, recognized"
        " by its name, its chat template and its tokenizer",
    )
    token: Token = Field(default="", description="its bearer token", repr=False)
    max_running: int | None = Field(
        default=None, ge=1, description="overrides the scheduling limit"
    )
    max_num_batched_tokens: int | None = Field(
        default=None, ge=1, description="what its engine was started with; vLLM does not tell"
    )
    long_prefill_token_threshold: int | None = Field(
        default=None, ge=0, description="likewise; where it is not told, it counts as off"
    )
    profile: str = Field(default="", description="file of its latency profile")


class HealthCheckConfig(Frozen):
    """[health_check]: health checks of all replicas.

    The names are those of Envoy's health checks and of gRPC's connection back-off.
    """

    interval_s: float = Field(
        default=1.0, gt=0, description="between two health checks of a replica that is up, seconds"
    )
    timeout_s: float = Field(
        default=5.0, gt=0, description="longest wait for the answer to a health check, seconds"
    )
    unhealthy_threshold: int = Field(
        default=3,
        ge=1,
        description="failed health checks in a row until a replica gets no more requests; a refused"
        " connection, API key or model name is enough by itself",
    )
    models_interval_s: float = Field(
        default=5.0,
        gt=0,
        description="between two looks at the /v1/models of a replica that is up, seconds",
    )
    initial_backoff_s: float = Field(
        default=1.0, gt=0, description="before the second look at a replica that is away, seconds"
    )
    backoff_multiplier: float = Field(
        default=1.6,
        ge=1,
        le=100,
        description="factor by which each wait is longer than the one before",
    )
    backoff_jitter: float = Field(
        default=0.2, ge=0, lt=1, description="share of each wait that is added or taken at random"
    )
    max_backoff_s: float = Field(
        default=30.0,
        gt=0,
        description="longest wait between two looks, seconds; while requests wait for a replica"
        " it is looked for more often",
    )


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
    max_restarts: int | None = Field(
        default=None,
        ge=0,
        description="restarts in a row of a replica that keeps dying before it is given up;"
        " without it, it is started again for ever",
    )


class ProvisioningConfig(Frozen):
    """[provisioning]: how many replicas of each local model run, depending on the load."""

    min_replicas: int = Field(
        default=1,
        ge=1,
        le=1024,
        description="fewest replicas of a model that does not set min_replicas",
    )
    max_replicas: int = Field(
        default=0,
        ge=0,
        le=1024,
        description="most replicas of a model that does not set max_replicas; 0: it always has"
        " models[].replicas",
    )
    idle_s: float = Field(
        default=600,
        gt=0,
        description="seconds without a request after which a model with min_replicas 0 has no"
        " replica",
    )
    rule: str = Field(default="planned", description="scaling rule")
    settings: dict[str, float] = Field(
        default={}, strict=False, description="settings of the rule, by name (docs/planning.md)"
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

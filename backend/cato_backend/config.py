"""Configuration: parsed once into frozen values, refused with the field's name and what was got.

Every field stands here with its unit and meaning; `cato serve --help-config` prints this very list.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, cast, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cato_backend.errors import ConfigError
from cato_backend.requests import Target
from cato_backend.wire.headers import ALIAS, Task

EMBEDDED = "embedded"
"""The `path` of the model that ships with the package."""

Milliseconds = Annotated[float, Field(gt=0, le=3_600_000)]
TaskName = Literal["completion", "generation", "summarization", "translation"]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True)


class ServerConfig(_Frozen):
    """[server]: where the gateway listens, and who may come in."""

    host: str = Field(default="127.0.0.1", description="address to bind")
    port: int = Field(default=8700, ge=0, le=65535, description="port to bind; 0 picks a free one")
    token_file: str = Field(
        default="", description="file with one bearer token a line; needed off loopback"
    )
    tls_cert: str = Field(default="", description="PEM certificate chain; serves HTTPS")
    tls_key: str = Field(default="", description="PEM private key of tls_cert")
    insecure: bool = Field(
        default=False, description="allow plain HTTP off loopback (behind a proxy that ends TLS)"
    )
    max_body_bytes: int = Field(
        default=8 * 1024 * 1024, ge=1024, description="largest request body"
    )
    idle_exit_s: float = Field(
        default=0, ge=0, description="end after this many seconds without a request; 0 never does"
    )


class SchedulingConfig(_Frozen):
    """[scheduling]: the policy and the bounds that it may not cross."""

    policy: str = Field(
        default="least-outstanding-tokens", description="which policy routes requests"
    )
    max_running_per_replica: int = Field(
        default=64, ge=1, description="requests that run on one replica at once"
    )
    max_waiting: int = Field(default=1000, ge=1, description="queued requests per model")
    max_waiting_per_session: int = Field(default=64, ge=1, description="queued requests per editor")
    max_wait_s: float = Field(default=60, gt=0, description="longest stay in the queue, seconds")
    max_attempts: int = Field(default=3, ge=1, description="replicas tried for one request")
    silence_s: float = Field(
        default=120, gt=0, description="a stream that brings nothing for so long is broken off"
    )
    whole_answer_s: float = Field(
        default=1800, gt=0, description="longest wait for an answer that is not streamed, seconds"
    )


class TargetConfig(_Frozen):
    """[targets.TASK]: what the task promises where the client names no budget."""

    ttft_ms: Milliseconds | None = Field(default=None, description="to the first token")
    e2e_ms: Milliseconds | None = Field(default=None, description="to the last token")
    worthless_after_ms: Milliseconds | None = Field(
        default=None, description="dropped from the queue after this"
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> TargetConfig:
        if (self.ttft_ms is None) == (self.e2e_ms is None):
            raise ValueError("exactly one of ttft_ms and e2e_ms is expected")
        return self

    def target(self) -> Target:
        """The same in seconds."""
        return Target(
            ttft_s=None if self.ttft_ms is None else self.ttft_ms / 1e3,
            e2e_s=None if self.e2e_ms is None else self.e2e_ms / 1e3,
            worthless_after_s=(
                None if self.worthless_after_ms is None else self.worthless_after_ms / 1e3
            ),
        )


class TargetsConfig(_Frozen):
    """[targets]: one table per task."""

    completion: TargetConfig = TargetConfig(ttft_ms=250, worthless_after_ms=500)
    generation: TargetConfig = TargetConfig(ttft_ms=1000)
    summarization: TargetConfig = TargetConfig(e2e_ms=3000)
    translation: TargetConfig = TargetConfig(e2e_ms=15000)

    def of(self, task: Task) -> Target:
        """The target of a task."""
        config: TargetConfig = getattr(self, task.value)
        return config.target()


class ModelConfig(_Frozen):
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


class ReplicaConfig(_Frozen):
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


class EngineConfig(_Frozen):
    """[engine]: how replicas are started on this machine."""

    kind: Literal["auto", "cpu", "gpu"] = Field(
        default="auto", description="auto takes the GPU where there is one"
    )
    start_timeout_s: float = Field(
        default=600, gt=0, description="longest start of a replica, seconds"
    )
    max_restarts: int = Field(
        default=5, ge=0, description="restarts of a replica that keeps dying before it is given up"
    )


class Config(_Frozen):
    """The whole of cato.toml."""

    server: ServerConfig = ServerConfig()
    scheduling: SchedulingConfig = SchedulingConfig()
    targets: TargetsConfig = TargetsConfig()
    engine: EngineConfig = EngineConfig()
    models: tuple[ModelConfig, ...] = Field(default=(), strict=False)
    replicas: tuple[ReplicaConfig, ...] = Field(default=(), strict=False)
    tasks: dict[TaskName, str] = Field(
        default_factory=dict[TaskName, str],
        description="task = model name; the first model serves the tasks not named",
    )

    @model_validator(mode="after")
    def _names_are_distinct(self) -> Config:
        names = [model.name for model in self.models]
        if ALIAS in names or len(set(names)) < len(names):
            raise ValueError(f"models: names must differ, and none may be {ALIAS!r}")
        return self


def load_config(path: Path | None, overrides: Mapping[str, Any]) -> Config:
    """Reads cato.toml and lays `overrides` (nested, as in the file) over it. Raises ConfigError."""
    return parse_config(_merged(_read(path) if path else {}, overrides))


def parse_config(values: Mapping[str, Any]) -> Config:
    """Checks every field. Raises ConfigError naming the first bad one."""
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "cato.toml"
        if first["type"] == "extra_forbidden":
            raise ConfigError(f"{field}: no such field (cato serve --help-config)") from error
        expected = first["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
        raise ConfigError.of(field, first.get("input"), expected) from error


def describe_config() -> Iterator[str]:
    """One line per field: name, type, default, meaning."""
    yield from _describe(Config, "")


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        nested = isinstance(value, Mapping) and isinstance(below, Mapping)
        result[key] = _merged(cast(Any, below), cast(Any, value)) if nested else value
    return result


def _describe(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, info in model.model_fields.items():
        below, many = _nested(info.annotation)
        if below is not None:
            yield from _describe(below, f"{prefix}{name}{'[]' if many else ''}.")
            continue
        default = (
            "required" if info.is_required() else repr(info.get_default(call_default_factory=True))
        )
        kind = getattr(info.annotation, "__name__", None) or str(info.annotation)
        yield f"{prefix}{name}  ({kind}, {default})  {info.description or ''}"


def _nested(annotation: object) -> tuple[type[BaseModel] | None, bool]:
    arguments = get_args(annotation)
    many = get_origin(annotation) is tuple
    candidate = arguments[0] if many else annotation
    if isinstance(candidate, type) and issubclass(candidate, BaseModel):
        return candidate, many
    return None, False

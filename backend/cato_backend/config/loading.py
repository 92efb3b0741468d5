"""cato.toml with the overrides of the command line as one frozen value, and changes of it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args, get_origin

from pydantic import BaseModel, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from cato_backend.config.elsewhere import DiscoveryConfig, InventoryConfig, RayConfig
from cato_backend.config.fleet import (
    EngineConfig,
    HealthCheckConfig,
    ModelConfig,
    ProvisioningConfig,
    ReplicaConfig,
)
from cato_backend.config.model_bounds import bounds_trouble, task_trouble
from cato_backend.config.sections import (
    SECRET,
    Frozen,
    LogConfig,
    OutlierDetectionConfig,
    SchedulingConfig,
    ServerConfig,
    TaskName,
    TeamConfig,
    TracingConfig,
)
from cato_backend.config.sign_in import OidcConfig
from cato_backend.config.targets import AgentsConfig, TargetsConfig, UsageConfig
from cato_backend.errors import ConfigError
from cato_backend.wire.headers import ALIAS, ALIASES

LIVE = (
    "agents",
    "log",
    "scheduling.supersede_plain",
    "scheduling.warm_burst",
    "scheduling.warm_per_minute",
    "server.drain_s",
    "server.trusted_proxies",
    "targets",
    "team.isolation",
    "team.over_budget",
    "usage",
)
"""Sections and fields that change while the server runs; all others need a restart."""


def is_live(name: str) -> bool:
    """Return whether a running server takes over a changed field."""
    return any(name == live or name.startswith(f"{live}.") for live in LIVE)


class Config(Frozen):
    """The whole of cato.toml."""

    server: ServerConfig = ServerConfig()
    team: TeamConfig = TeamConfig()
    oidc: OidcConfig = OidcConfig()
    scheduling: SchedulingConfig = SchedulingConfig()
    outlier_detection: OutlierDetectionConfig = OutlierDetectionConfig()
    targets: TargetsConfig = TargetsConfig()
    engine: EngineConfig = EngineConfig()
    ray: RayConfig = RayConfig()
    discovery: DiscoveryConfig = DiscoveryConfig()
    inventory: InventoryConfig = InventoryConfig()
    health_check: HealthCheckConfig = HealthCheckConfig()
    provisioning: ProvisioningConfig = ProvisioningConfig()
    agents: AgentsConfig = AgentsConfig()
    usage: UsageConfig = UsageConfig()
    log: LogConfig = LogConfig()
    tracing: TracingConfig = TracingConfig()
    models: tuple[ModelConfig, ...] = Field(default=(), strict=False)
    replicas: tuple[ReplicaConfig, ...] = Field(default=(), strict=False)
    tasks: dict[TaskName, str] = Field(
        default_factory=dict[TaskName, str],
        description="task = model name; the first model serves the tasks not named",
    )

    @model_validator(mode="after")
    def _names_are_distinct(self) -> Config:
        names = [model.name for model in self.models]
        taken = next((name for name in names if name in ALIASES), None)
        if taken is not None or len(set(names)) < len(names):
            raise ValueError(f"models: names must differ, and none may be {taken or ALIAS!r}")
        return self

    @model_validator(mode="after")
    def _public_url_is_known(self) -> Config:
        if self.oidc.issuer and self.server.insecure and not self.oidc.public_url:
            raise ValueError(
                "oidc.public_url: expected the https URL of this server in browsers, because a"
                " proxy ends TLS (server.insecure)"
            )
        return self

    @model_validator(mode="after")
    def _provisioning_fits_the_models(self) -> Config:
        trouble = bounds_trouble(self.models, self.provisioning)
        if trouble:
            raise ValueError(trouble)
        return self

    @model_validator(mode="after")
    def _tasks_name_models(self) -> Config:
        may_have_others = self.replicas or self.discovery.sources
        trouble = "" if may_have_others else task_trouble(self.models, self.tasks)
        if trouble:
            raise ValueError(trouble)
        return self


def load_config(path: Path | None, overrides: Mapping[str, Any]) -> Config:
    """Read cato.toml and lays `overrides` (nested, as in the file) over it. Raises ConfigError."""
    return parse_config(_merged(read_toml(path) if path else {}, overrides))


def parse_config(values: Mapping[str, Any]) -> Config:
    """Check every field. Raises ConfigError naming the first bad one."""
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "cato.toml"
        if first["type"] == "extra_forbidden":
            raise ConfigError(f"{field}: no such field (cato serve --help-config)") from error
        if first["type"] == SECRET:
            raise ConfigError(f"{field}: expected {first['msg']}") from error
        raise _complaint(first) from error


def _complaint(error: ErrorDetails) -> ConfigError:
    """Return what is wrong, without a value that holds a token, or may hold one."""
    field = ".".join(map(str, error["loc"]))
    expected = error["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    got: object = error.get("input")
    if isinstance(got, Mapping) and error["type"] == "value_error":
        return ConfigError(f"{field}: {expected}" if field else expected)
    if isinstance(got, Mapping | list) or field.rpartition(".")[2] == "token":
        return ConfigError(f"{field}: expected {expected}")
    return ConfigError.of(field, got, expected)


def describe_config() -> Iterator[str]:
    """One line per field: name, type, default, whether SIGHUP changes it, meaning."""
    yield from _describe(Config, "")


def read_toml(path: Path) -> dict[str, Any]:
    """Return what a file holds. Raises ConfigError."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        # Beside tomllib's own error: bytes that are no UTF-8, endless digits, too many brackets.
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
        live = "; live" if is_live(f"{prefix}{name}") else ""
        yield f"{prefix}{name}  ({kind}, {default}{live})  {info.description or ''}"


def _nested(annotation: object) -> tuple[type[BaseModel] | None, bool]:
    arguments = get_args(annotation)
    many = get_origin(annotation) is tuple
    candidate = arguments[0] if many else annotation
    if isinstance(candidate, type) and issubclass(candidate, BaseModel):
        return candidate, many
    return None, False


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """A new configuration, compared with the one in force."""

    config: Config
    """The configuration in force from now on: live fields are new, the others are unchanged."""
    applied: tuple[str, ...]
    """Names of the live fields that differ."""
    waiting: tuple[str, ...]
    """Names of the other fields that differ: they need a restart."""

    def __str__(self) -> str:
        """Name the fields. Values are left out, as some are tokens."""
        applied = f"changed: {', '.join(self.applied)}" if self.applied else "nothing changed"
        return applied + (f"; needs a restart: {', '.join(self.waiting)}" if self.waiting else "")


def change_of(current: Config, new: Config) -> ConfigChange:
    """Return what a new configuration changes while the server runs."""
    names = tuple(_differences(current, new))
    return ConfigChange(
        _with_live_fields(current, new),
        tuple(name for name in names if is_live(name)),
        tuple(name for name in names if not is_live(name)),
    )


def _differences(current: BaseModel, new: BaseModel, prefix: str = "") -> Iterator[str]:
    for name in type(current).model_fields:
        before, after = getattr(current, name), getattr(new, name)
        if isinstance(before, BaseModel) and isinstance(after, BaseModel):
            yield from _differences(before, after, f"{prefix}{name}.")
        elif before != after:
            yield prefix + name


def _with_live_fields(current: Config, new: Config) -> Config:
    for live in LIVE:
        section, _, field = live.partition(".")
        value: object = getattr(new, section)
        if field:
            update = {field: getattr(value, field)}
            value = getattr(current, section).model_copy(update=update)
        current = current.model_copy(update={section: value})
    return current

"""The configuration of `cato serve`: the file, the command line, and the model that is chosen."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from cato_backend.app.configured import check_tracing
from cato_backend.commands.model import fetch_and_show
from cato_backend.config import EMBEDDED, Config, load_config
from cato_backend.discovery.addresses import check_address
from cato_backend.errors import ConfigError
from cato_backend.fleet.choice import Fetch, choose
from cato_backend.fleet.launch import check_families
from cato_backend.fleet.ray_launch import check_ray
from cato_backend.gateway.costs import usage_prices
from cato_backend.gateway.credentials import check_files
from cato_backend.model_store.registry import find_known
from cato_backend.provisioning import rule_names
from cato_backend.runtime.law_file import laws_file
from cato_backend.scheduling import policy_names
from cato_backend.team.database import check_private
from cato_backend.wire.headers import Task

AUTO = "auto"
LEVELS = ("debug", "info", "warning", "error")
COLOCATED_IDLE_S = 30 * 60
_SERVER = (
    "host",
    "port",
    "token_file",
    "loopback_token",
    "tls_cert",
    "tls_key",
    "insecure",
    "event_log",
    "gateways",
)


def serve_config(arguments: argparse.Namespace) -> Config:
    """Return the configuration, checked before a model is chosen and fetched.

    Raises ConfigError, and EngineError where a model that was named cannot be had.
    """
    # An editor starts its backend in the background: no download that was not asked for.
    fetch = None if arguments.colocated else fetch_and_show
    config, overrides = _read(arguments)
    if _leaves_the_choice(arguments, config):
        overrides |= _chosen_models(arguments, fetch)
        config = load_config(arguments.config, overrides)
    if fetch is not None:
        _fetch_named(config, fetch)
    return config


def read_again(arguments: argparse.Namespace, current: Config) -> Config:
    """Return the configuration as it is now; models that were chosen at the start stay.

    Raises ConfigError.
    """
    if arguments.config is not None and arguments.config.is_fifo():
        # To read a pipe again would block the server until something is written to it.
        raise ConfigError(f"{arguments.config} is a pipe, which is read once")
    config, _ = _read(arguments)
    if not _leaves_the_choice(arguments, config):
        return config
    return config.model_copy(update={"models": current.models, "tasks": current.tasks})


def _read(arguments: argparse.Namespace) -> tuple[Config, dict[str, Any]]:
    """Return the checked configuration, and what the command line lays over the file."""
    overrides = _overrides(arguments)
    if arguments.model:
        overrides["models"] = [_model(EMBEDDED if arguments.model == AUTO else arguments.model)]
    config = load_config(arguments.config, overrides)
    _check(config)
    if arguments.config is not None:
        _check_secrets(arguments.config, config)
    return config, overrides


def _leaves_the_choice(arguments: argparse.Namespace, config: Config) -> bool:
    """Return whether the models are to be chosen for this machine."""
    names_none = not (config.models or config.replicas or config.discovery.sources)
    return arguments.model == AUTO or names_none


def _check_secrets(file: Path, config: Config) -> None:
    """Raise ConfigError where every user of the machine can read tokens of replicas."""
    if config.discovery.token:
        check_private("discovery.token", file)
    if any(replica.token for replica in config.replicas):
        check_private("replicas.token", file)


def _overrides(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what the command line says, but for the model."""
    overrides: dict[str, Any] = {"server": _given(arguments, *_SERVER)}
    if arguments.colocated:
        overrides["server"] |= {"host": "127.0.0.1", "port": 0, "idle_exit_s": COLOCATED_IDLE_S}
        overrides["server"]["gateways"] = 1
    if arguments.team_store is not None:
        overrides["team"] = {"store": arguments.team_store}
    logged = _given(arguments, "log_format", "log_level")
    overrides["log"] = {name.removeprefix("log_"): value for name, value in logged.items()}
    overrides["scheduling"] = _given(arguments, "policy", "profile", "calibrate")
    overrides["provisioning"] = _given(arguments, "min_replicas", "max_replicas")
    if arguments.replicas_from:
        overrides["discovery"] = {"sources": arguments.replicas_from}
    if arguments.ray:
        overrides["ray"] = {"address": arguments.ray}
    if arguments.replica:
        overrides["replicas"] = [{"url": url} for url in arguments.replica]
    return overrides


def _given(arguments: argparse.Namespace, *names: str) -> dict[str, Any]:
    values = {name: getattr(arguments, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def _check(config: Config) -> None:
    """Raise ConfigError for names that stand for nothing, and files that cannot be used."""
    if config.scheduling.policy not in policy_names():
        expected = "one of " + ", ".join(sorted(policy_names()))
        raise ConfigError.of("scheduling.policy", config.scheduling.policy, expected)
    if config.provisioning.rule not in rule_names():
        expected = "one of " + ", ".join(sorted(rule_names()))
        raise ConfigError.of("provisioning.rule", config.provisioning.rule, expected)
    for address in config.discovery.sources:
        check_address(address)
    check_ray(config)
    if config.tracing.enabled:
        check_tracing(config.tracing.endpoint)
    check_families(config)
    check_files(config.server)
    usage_prices(config.usage)


def _fetch_named(config: Config, fetch: Fetch) -> None:
    """Fetch those models of the configuration that are named as in the registry.

    The nodes of a cluster have stores of their own.
    """
    if config.engine.kind == "emulated" or config.ray.address:
        return
    for known in filter(None, (find_known(model.path) for model in config.models)):
        fetch(known)


def _chosen_models(arguments: argparse.Namespace, fetch: Fetch | None) -> dict[str, Any]:
    """Return the sections of the configuration that name the models, and their tasks."""
    # With a configuration file or a scaled fleet, a second model is chosen in the configuration.
    is_plain = arguments.config is None and arguments.max_replicas is None
    choice = choose(fetch, laws_file() if is_plain else None)
    print("\n".join(choice.lines), file=sys.stderr)
    if not choice.completions:
        return {"models": [_model(choice.path)]}
    second = _model(choice.completions)
    return {
        "models": [_model(choice.path), second],
        "tasks": {Task.COMPLETION.value: second["name"]},
    }


def _model(path: str) -> dict[str, str]:
    return {"name": _model_name(path), "path": path}


def _model_name(path: str) -> str:
    """Return what clients call it.

    The embedded model's own name, else the last part of its path.
    """
    return "cato-embedded" if path == EMBEDDED else path.rstrip("/").rsplit("/", 1)[-1]

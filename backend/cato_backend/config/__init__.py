"""Configuration: parsed once into frozen values, refused with the field's name and what was got.

Every field stands in its section with unit and meaning; `cato serve --help-config` prints them.
"""

from cato_backend.config.fleet import (
    EMBEDDED,
    EngineConfig,
    HealthCheckConfig,
    ModelConfig,
    ProvisioningConfig,
    ReplicaConfig,
    server_url,
)
from cato_backend.config.loading import Config, describe_config, load_config, parse_config
from cato_backend.config.sections import (
    SchedulingConfig,
    ServerConfig,
    TargetConfig,
    TargetsConfig,
)

__all__ = [
    "EMBEDDED",
    "Config",
    "EngineConfig",
    "HealthCheckConfig",
    "ModelConfig",
    "ProvisioningConfig",
    "ReplicaConfig",
    "SchedulingConfig",
    "ServerConfig",
    "TargetConfig",
    "TargetsConfig",
    "describe_config",
    "load_config",
    "parse_config",
    "server_url",
]

"""Configuration: parsed once into frozen values. Errors name the field and the value.

Every field stands in its section with unit and meaning; `cato serve --help-config` prints them.
"""

from cato_backend.config.elsewhere import DiscoveryConfig, RayConfig
from cato_backend.config.fleet import (
    EMBEDDED,
    EngineConfig,
    HealthCheckConfig,
    ModelConfig,
    ProvisioningConfig,
    ReplicaConfig,
    server_url,
)
from cato_backend.config.loading import (
    Config,
    describe_config,
    load_config,
    parse_config,
    read_toml,
)
from cato_backend.config.model_bounds import ReplicaRange, most_replicas, range_of
from cato_backend.config.sections import SchedulingConfig, ServerConfig, TeamConfig
from cato_backend.config.sign_in import OidcConfig
from cato_backend.config.targets import TargetConfig, TargetsConfig

__all__ = [
    "EMBEDDED",
    "Config",
    "DiscoveryConfig",
    "EngineConfig",
    "HealthCheckConfig",
    "ModelConfig",
    "OidcConfig",
    "ProvisioningConfig",
    "RayConfig",
    "ReplicaConfig",
    "ReplicaRange",
    "SchedulingConfig",
    "ServerConfig",
    "TargetConfig",
    "TargetsConfig",
    "TeamConfig",
    "describe_config",
    "load_config",
    "most_replicas",
    "parse_config",
    "range_of",
    "read_toml",
    "server_url",
]

"""Parses the addresses of `discovery.sources` into sources."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import aiohttp

from cato_backend.config import DiscoveryConfig
from cato_backend.discovery.dns import AddressSource, ServiceSource
from cato_backend.discovery.file import FileSource
from cato_backend.discovery.kubernetes import KubernetesSource, ServiceName
from cato_backend.discovery.kubernetes_api import cluster_api
from cato_backend.discovery.source import Source
from cato_backend.errors import ConfigError

_FIELD = "discovery.sources"
_SOURCES = "a file, dns://NAME:PORT, dns+srv://NAME or k8s://NAMESPACE/SERVICE[:PORT]"


def make_source(address: str, config: DiscoveryConfig, session: aiohttp.ClientSession) -> Source:
    """Return the source at this address. Raises ConfigError for one that does not exist."""
    parts = check_address(address)
    match parts.scheme:
        case "dns":
            return AddressSource(parts.hostname or "", parts.port or 0, config)
        case "dns+srv":
            return ServiceSource(parts.hostname or "", config)
        case "k8s":
            service, _, port = parts.path.strip("/").partition(":")
            name = ServiceName(parts.netloc, service, port)
            return KubernetesSource(name, config, cluster_api(config, session))
        case _:
            return FileSource(Path(address.removeprefix("file://")).expanduser(), config)


def check_address(address: str) -> SplitResult:
    """Return its parts.

    Raises ConfigError, and ModuleNotFoundError where it needs a package that is not installed.
    """
    try:
        parts = urlsplit(address)
        port = parts.port if parts.scheme == "dns" else None
    except ValueError as error:
        raise ConfigError.of(_FIELD, address, str(error)) from error
    host = parts.hostname
    if not address.strip():
        raise ConfigError.of(_FIELD, address, _SOURCES)
    if "://" in address and parts.scheme not in ("file", "dns", "dns+srv", "k8s"):
        raise ConfigError.of(_FIELD, address, _SOURCES)
    if parts.scheme == "dns" and not (host and port):
        raise ConfigError.of(_FIELD, address, "dns://NAME:PORT")
    if parts.scheme == "dns+srv" and not host:
        raise ConfigError.of(_FIELD, address, "dns+srv://NAME, such as dns+srv://_http._tcp.vllm")
    if parts.scheme == "dns+srv" and importlib.util.find_spec("dns") is None:
        raise ModuleNotFoundError(name="dns")
    if parts.scheme == "k8s" and not (parts.netloc and parts.path.strip("/")):
        raise ConfigError.of(_FIELD, address, "k8s://NAMESPACE/SERVICE[:PORT]")
    return parts

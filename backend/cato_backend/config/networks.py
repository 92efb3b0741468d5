"""Types of fields: networks of addresses, and paths of files."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator

from cato_backend.wire.paths import with_home


def _network(text: str) -> str:
    """Return the network of an address or a network. Raises ValueError."""
    try:
        return str(ip_network(text))
    except ValueError as error:
        raise ValueError(
            "an IP address or a network such as 10.0.0.0/8, without bits beside the network"
        ) from error


Network = Annotated[str, AfterValidator(_network)]
FilePath = Annotated[str, AfterValidator(with_home)]

"""Which extra of the distribution brings a package that is not installed."""

from __future__ import annotations

import json
import sys
from importlib.metadata import PackageNotFoundError, distribution
from urllib.parse import unquote, urlsplit

DISTRIBUTION = "cato-lsp"
PACKAGES = {
    "serve": frozenset(
        {"httptools", "numpy", "orjson", "prometheus_client", "pydantic", "pynvml", "uvloop"}
    ),
    "lab": frozenset({"matplotlib", "scipy"}),
}
"""Importable packages by extra; `lab` brings those of `serve`, too."""


def remedy(error: ModuleNotFoundError) -> str | None:
    """Return what to install so that the import succeeds; None where no extra brings it."""
    package = (error.name or "").partition(".")[0]
    for extra, packages in PACKAGES.items():
        if package in packages:
            return (
                f"{package} is missing; install it with the extra [{extra}]: "
                f'{sys.executable} -m pip install "{_source()}[{extra}]"'
            )
    return None


def _source() -> str:
    """Return the checkout or wheel that was installed (PEP 610), else the distribution's name."""
    try:
        recorded = distribution(DISTRIBUTION).read_text("direct_url.json")
    except PackageNotFoundError:
        recorded = None
    url = urlsplit(str(json.loads(recorded)["url"])) if recorded else None
    return unquote(url.path) if url is not None and url.scheme == "file" else DISTRIBUTION

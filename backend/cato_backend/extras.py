"""Which extra of the distribution brings a package that is not installed."""

from __future__ import annotations

import sys

DISTRIBUTION = "cato-lsp"
PACKAGES = {
    "serve": frozenset(
        {"httptools", "numpy", "orjson", "prometheus_client", "pydantic", "pynvml", "uvloop"}
    ),
    "lab": frozenset({"matplotlib", "scipy"}),
}
"""Importable packages by extra; `lab` brings those of `serve`, too."""


def remedy(error: ModuleNotFoundError) -> str | None:
    """Returns what to install so that the import succeeds; None where no extra brings it."""
    package = (error.name or "").partition(".")[0]
    for extra, packages in PACKAGES.items():
        if package in packages:
            return (
                f"{package} is missing; install it with the extra [{extra}]: "
                f'{sys.executable} -m pip install "{DISTRIBUTION}[{extra}]"'
            )
    return None

"""What the base distribution brings, and what a missing extra is told by."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cato_backend.commands.overview import PACKAGES, remedy

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
IMPORTED_AS = {
    "nvidia_ml_py": "pynvml",
    "dnspython": "dns",
    "opentelemetry_sdk": "opentelemetry",
    "opentelemetry_exporter_otlp_proto_http": "opentelemetry",
    "pyjwt": "jwt",
}


def packages(requirements: list[str]) -> set[str]:
    """The importable names of requirements, but for extras of the distribution itself."""
    found = {re.split(r"[^\w-]", each)[0].replace("-", "_") for each in requirements}
    return {IMPORTED_AS.get(name, name) for name in found - {"cato_lsp"}}


@pytest.mark.parametrize("extra", sorted(PACKAGES))
def test_each_extra_is_known_by_its_packages(extra: str) -> None:
    assert packages(PROJECT["optional-dependencies"][extra]) == PACKAGES[extra]


def test_the_base_brings_none_of_them() -> None:
    assert not packages(PROJECT["dependencies"]) & frozenset.union(*PACKAGES.values())


def test_a_missing_package_is_told_with_its_extra() -> None:
    found = remedy(ModuleNotFoundError(name="scipy.optimize"))
    assert found is not None
    assert found.startswith("scipy is missing; install it with the extra [lab]: ")
    assert re.search(r'-m pip install "(/.+|cato-lsp)\[lab\]"$', found)
    assert remedy(ModuleNotFoundError(name="fcntl")) is None


def without(packages: frozenset[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """A `cato` command in a process where these packages cannot be imported."""
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({sorted(packages)!r}))\n"
        f"from cato_backend.__main__ import main; sys.exit(main({list(arguments)!r}))"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


@pytest.mark.parametrize(
    ("extra", "arguments"),
    [
        ("serve", ("serve", "--help")),
        ("serve", ("simulate", "--duration", "1")),
        ("lab", ("simulate", "--duration", "1", "--rates", "1", "--out", "page")),
        ("ray", ("serve", "--ray", "127.0.0.1:6379", "--model", "embedded")),
        ("srv", ("serve", "--replicas-from", "dns+srv://_http._tcp.vllm")),
    ],
)
def test_a_command_without_its_extra_says_what_to_install(
    extra: str, arguments: tuple[str, ...]
) -> None:
    done = without(PACKAGES[extra], *arguments)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert re.search(rf'-m pip install "(/.+|cato-lsp)\[{extra}\]"', done.stderr)


def test_sign_in_without_its_extra_says_what_to_install(tmp_path: Path) -> None:
    config = tmp_path / "cato.toml"
    config.write_text(
        '[oidc]\nissuer = "https://id.example.com"\nclient_id = "cato"\nallowed_domains = ["*"]\n'
        f'[team]\nstore = "{tmp_path / "people.sqlite3"}"\n[server]\nport = 0\n'
    )
    done = without(PACKAGES["oidc"], "serve", "--config", str(config), "--model", "embedded")
    assert done.returncode == 1
    assert re.search(r'-m pip install "(/.+|cato-lsp)\[oidc\]"', done.stderr)


def test_tracing_without_its_extra_says_what_to_install(tmp_path: Path) -> None:
    config = tmp_path / "cato.toml"
    config.write_text("[tracing]\nenabled = true\n")
    done = without(PACKAGES["otel"], "serve", "--config", str(config), "--model", "embedded")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert re.search(r'-m pip install "(/.+|cato-lsp)\[otel\]"', done.stderr)


def test_the_editors_side_needs_no_extra() -> None:
    every = frozenset.union(*PACKAGES.values())
    assert without(every, "complete", "--help").returncode == 0
    assert without(every, "--help").returncode == 0

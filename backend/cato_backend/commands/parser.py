"""The argument parser of the subcommands: short errors, and options that need or exclude others."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn


class HelpFormatter(argparse.HelpFormatter):
    """Shows each default that says something, once: not where the help text tells it already."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        text, default = action.help or "", action.default
        is_silent = default is None or default is False or default in ("", [], argparse.SUPPRESS)
        if is_silent or "default" in text:
            return text
        return f"{text} (default: %(default)s)"


@dataclass(frozen=True, slots=True)
class _Condition:
    """`options` are of use only where `holds`; `text` says when that is."""

    text: str
    holds: Callable[[argparse.Namespace], bool]
    options: frozenset[str]


class Parser(argparse.ArgumentParser):
    """Reads the arguments of one subcommand."""

    def __init__(self, **options: Any) -> None:
        # Without abbreviations: options are looked up by their names.
        super().__init__(formatter_class=HelpFormatter, allow_abbrev=False, **options)
        self._conditions: list[_Condition] = []

    def restrict(
        self, text: str, holds: Callable[[argparse.Namespace], bool], *options: str
    ) -> None:
        """Refuses `options` unless `holds`; `text` is such as `only with --workload typing`."""
        self._conditions.append(_Condition(text, holds, frozenset(options)))

    def parse(self, argv: Sequence[str]) -> argparse.Namespace:
        """Returns the arguments. Raises SystemExit, after saying what is wrong with them."""
        arguments = self.parse_args(argv)
        given = {word.partition("=")[0] for word in argv}
        for condition in self._conditions:
            useless = given & condition.options
            if useless and not condition.holds(arguments):
                self.error(f"{', '.join(sorted(useless))}: {condition.text}")
        return arguments

    def error(self, message: str) -> NoReturn:
        """Says in one line what is wrong, and where the options are listed."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")

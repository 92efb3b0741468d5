"""The argument parser of the subcommands, and the types of arguments that several of them take."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from cato_backend.wire.state_files import with_home

_ChoiceT = TypeVar("_ChoiceT", bound=StrEnum)


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
        """Refuse `options` unless `holds`; `text` is such as `only with --workload typing`."""
        self._conditions.append(_Condition(text, holds, frozenset(options)))

    def parse(self, argv: Sequence[str]) -> argparse.Namespace:
        """Return the arguments. Raises SystemExit, after saying what is wrong with them."""
        arguments = self.parse_args(argv)
        given = {word.partition("=")[0] for word in argv}
        for condition in self._conditions:
            useless = given & condition.options
            if useless and not condition.holds(arguments):
                self.error(f"{', '.join(sorted(useless))}: {condition.text}")
        return arguments

    def error(self, message: str) -> NoReturn:
        """Say in one line what is wrong, and where the options are listed."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def at_least(least: int) -> Callable[[str], int]:
    """Return the type of a whole number, `least` or more."""

    def checked(text: str) -> int:
        if (value := _whole(text)) is None or value < least:
            raise _unexpected(text, f"a whole number, {least} or more")
        return value

    return checked


def between(least: int, most: int) -> Callable[[str], int]:
    """Return the type of a whole number from `least` to `most`."""

    def checked(text: str) -> int:
        if (value := _whole(text)) is None or not least <= value <= most:
            raise _unexpected(text, f"a whole number from {least} to {most}")
        return value

    return checked


def one_of(kind: type[_ChoiceT]) -> Callable[[str], _ChoiceT]:
    """Return the type of a word that `kind` has."""

    def checked(text: str) -> _ChoiceT:
        if text not in list(kind):
            raise _unexpected(text, f"one of {', '.join(kind)}")
        return kind(text)

    return checked


def port(text: str) -> int:
    """Return a TCP port; 0 stands for any free one."""
    if (value := _whole(text)) is None or not 0 <= value <= 65_535:
        raise _unexpected(text, "a port from 0 to 65535")
    return value


def not_negative(text: str) -> float:
    """Return a time or an amount, 0 or more."""
    if not 0 <= (value := _number(text)) < inf:
        raise _unexpected(text, "a number, 0 or more")
    return value


def above_zero(text: str) -> float:
    """Return a number above 0."""
    if not 0 < (value := _number(text)) < inf:
        raise _unexpected(text, "a number above 0")
    return value


def share(text: str) -> float:
    """Return a share of a whole."""
    if not 0 <= (value := _number(text)) <= 1:
        raise _unexpected(text, "a share from 0 to 1")
    return value


def _whole(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return -inf


def _unexpected(text: str, expected: str) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(f"got {text}, expected {expected}")


def input_file(text: str) -> Path:
    """Return a file to read. Raises ArgumentTypeError."""
    return _named(text)


def output_file(text: str) -> Path:
    """Return a file to write, in a folder that exists. Nothing that is there is changed.

    Raises ArgumentTypeError.
    """
    path = _named(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{path} is a folder, expected a file")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"{path} cannot be written: no folder {path.parent}")
    try:
        _try_to_write(path)
    except OSError as error:
        raise _not_writable(path, error) from error
    return path


def output_file_of(*suffixes: str) -> Callable[[str], Path]:
    """Return the type of a file whose name ends with one of `suffixes`, which names its format."""

    def checked(text: str) -> Path:
        if Path(text).suffix.lower() not in suffixes:
            expected = ", ".join(suffixes)
            raise argparse.ArgumentTypeError(f"{text}: expected a name that ends with {expected}")
        return output_file(text)

    return checked


def output_folder(text: str) -> Path:
    """Return a folder to write files in; it is made later where there is none.

    Raises ArgumentTypeError.
    """
    import tempfile  # Most commands write no folder.

    path = _named(text)
    missing = [each for each in (path, *path.parents) if not each.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
        for each in missing:
            each.rmdir()
    except OSError as error:
        raise _not_writable(path, error) from error
    return path


def _named(text: str) -> Path:
    if not text.strip():
        raise argparse.ArgumentTypeError("the name is empty")
    try:
        return Path(with_home(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"got {text}, expected {error}") from error


def _try_to_write(path: Path) -> None:
    if path.exists() and not path.is_file():
        # To open a pipe would wait for its reader.
        if not os.access(path, os.W_OK):
            raise PermissionError(None, "Permission denied")
        return
    is_new = not path.exists()
    path.open("ab").close()
    if is_new:
        path.unlink()


def _not_writable(path: Path, error: OSError) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(f"{path} cannot be written: {error.strerror}")

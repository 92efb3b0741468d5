"""Argument types of what a command writes: refused before the work if it cannot be written."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def output_file(text: str) -> Path:
    """A file to write, in a folder that exists. Nothing that is there is changed.

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
    """The type of a file whose name ends with one of `suffixes`, which names its format."""

    def checked(text: str) -> Path:
        if Path(text).suffix.lower() not in suffixes:
            expected = ", ".join(suffixes)
            raise argparse.ArgumentTypeError(f"{text}: expected a name that ends with {expected}")
        return output_file(text)

    return checked


def output_folder(text: str) -> Path:
    """A folder to write files in; it is made later where there is none.

    Raises ArgumentTypeError.
    """
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
    return Path(text).expanduser()


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

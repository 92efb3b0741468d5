"""Globs as .gitignore has them, of which those of the settings may also be absolute."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from pathspec import GitIgnoreSpec

_ABSOLUTE = re.compile(r"!?(?:/|~|[A-Za-z]:[/\\])")
_NOTHING = "#"
"""A comment: it matches nothing, and keeps the others at their places."""


def spec_of(patterns: Iterable[str]) -> GitIgnoreSpec:
    """Return the patterns that can be read, as one specification."""
    return GitIgnoreSpec.from_lines([p if _is_pattern(p) else _NOTHING for p in patterns])


def problem(pattern: str) -> str | None:
    """Return why a pattern of the settings can never match; None if it can."""
    glob = pattern.removeprefix("!").strip()
    segments = re.split(r"[/\\]", glob)
    if not glob or glob.startswith("#"):
        return "it is empty or a comment"
    if "://" in glob:
        return "it is a URI: write the path"
    if ".." in segments or segments[0] == ".":
        return "it has '.' or '..' in it: write it from the folder of the workspace, or from / or ~"
    if "$" in glob:
        return "variables are not replaced: write the path, or ~ for the home folder"
    if "\\" in glob and not _ABSOLUTE.match(glob) and re.search(r"\\\w", glob):
        return "it is separated by backslashes: write /"
    return None if _is_pattern(glob) and glob.strip("/") else "it is no pattern of .gitignore"


def _is_pattern(pattern: str) -> bool:
    try:
        GitIgnoreSpec.from_lines([pattern])
    except ValueError:
        return False
    return True


class Ignore:
    """The patterns of `privacy.ignore`: relative to any folder of the workspace, or absolute."""

    def __init__(self, patterns: Sequence[str]) -> None:
        usable = [pattern for pattern in patterns if problem(pattern) is None]
        self._relative = spec_of(_NOTHING if _of_home(p) else p for p in usable)
        self._absolute = spec_of(_anchored(p) if _ABSOLUTE.match(p) else _NOTHING for p in usable)

    def names(self, relative: Iterable[Path], path: Path) -> bool:
        """Return whether the last pattern that matches the file excludes it.

        `relative`: the file as seen from the folders of the workspace.
        """
        whole = path.relative_to(path.anchor).as_posix()
        found = [self._absolute.check_file(whole)]
        found += [self._relative.check_file(inside.as_posix()) for inside in relative]
        matched = [
            (check.index or 0, check.include) for check in found if check.include is not None
        ]
        return bool(max(matched, default=(0, False))[1])


def _of_home(pattern: str) -> bool:
    return pattern.removeprefix("!").startswith("~")


def _anchored(pattern: str) -> str:
    """Return an absolute pattern, as seen from the root of the file system."""
    negation, glob = pattern[: pattern.startswith("!")], pattern.removeprefix("!")
    expanded = os.path.expanduser(glob) if _of_home(glob) else glob
    rooted = re.sub(r"^[A-Za-z]:", "", expanded.replace("\\", "/") if ":" in glob[:2] else expanded)
    slash = "/" if glob.endswith("/") and not rooted.endswith("/") else ""
    return f"{negation}{rooted}{slash}"

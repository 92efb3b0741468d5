"""The file and the name that a document's URI stands for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

OF_FILES = ("file", "vscode-notebook-cell")
"""A cell is named by its notebook's path, and a fragment of its own."""


def path_of(uri: str) -> Path | None:
    """Return the file that a document is of or in; None if there is none."""
    parts = urlsplit(uri)
    if parts.scheme not in OF_FILES:
        return None
    path = unquote(parts.path)
    # A drive: file:///c%3A/...
    return Path(path[1:] if path[2:3] == ":" else path)


_NESTED = re.compile(r"::|!/|[?#&\"']|\w=")
"""What parts a file's name from the rest: within archives, and in queries."""


def named_by(uri: str) -> Iterator[Path]:
    """Yield every path that the URI of a document of any scheme may name.

    That is what the document is called, whatever keeps it: editors name the versions of git, remote
    files and unsaved ones in their own ways.
    """
    scheme, _, rest = unquote(unquote(uri)).replace("\\", "/").partition(":")
    for part in _NESTED.split(rest or scheme):
        name = part.rstrip("/ },]").removesuffix(".git")
        if name:
            # Behind a host: `scp://host/folder`, `vscode-vfs://github/owner/repository`.
            yield Path("/", re.sub(r"^//[^/]*", "", name).lstrip("/") or name.strip("/"))


def root_of(uri: str) -> Path | None:
    """Return the folder of a workspace, of whatever scheme."""
    return path_of(uri) or next(named_by(uri), None)


def file_name(uri: str) -> str:
    """Return the last part of the document's path."""
    return PurePosixPath(unquote(urlsplit(uri).path)).name or "file"

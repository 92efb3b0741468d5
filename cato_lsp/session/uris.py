"""From a document's URI to its file."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

OF_FILES = ("file", "vscode-notebook-cell")
"""A cell is named by its notebook's path, and a fragment of its own."""


def path_of(uri: str) -> Path | None:
    """The file that a document is of or in, or None where it is none."""
    parts = urlsplit(uri)
    if parts.scheme not in OF_FILES:
        return None
    path = unquote(parts.path)
    # A drive: file:///c%3A/...
    return Path(path[1:] if path[2:3] == ":" else path)

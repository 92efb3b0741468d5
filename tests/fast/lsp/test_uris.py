"""Which file a document is of: what privacy is judged by."""

from __future__ import annotations

from pathlib import Path

import pytest

from cato_lsp.text.document import path_of


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///a/b%20c.py", Path("/a/b c.py")),
        ("file:///c%3A/a.py", Path("c:/a.py")),
        ("vscode-notebook-cell:/a/b.ipynb#W0sZmlsZQ%3D%3D", Path("/a/b.ipynb")),
        ("untitled:Untitled-1", None),
        ("https://example.org/a.py", None),
    ],
)
def test_the_file_that_a_document_is_in(uri: str, path: Path | None) -> None:
    assert path_of(uri) == path

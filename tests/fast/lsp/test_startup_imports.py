"""What `cato-lsp` imports before it answers `initialize`: what typing needs comes later."""

from __future__ import annotations

import subprocess
import sys

_LATER = ("cato_lsp.syntax", "cato_lsp.completion", "cato_lsp.suggestions", "cato_lsp.tasks")


def test_the_server_starts_without_what_only_a_document_needs() -> None:
    code = "import sys, cato_lsp.server; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "cato_lsp.server" in loaded
    assert [name for name in loaded if name.startswith(_LATER)] == []

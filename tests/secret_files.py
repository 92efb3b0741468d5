"""Files that only their owner can read, as CATO expects them of tokens."""

from __future__ import annotations

from pathlib import Path


def secret_file(path: Path, content: str | bytes) -> Path:
    """Writes the file, or changes what it holds."""
    path.touch(mode=0o600)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path

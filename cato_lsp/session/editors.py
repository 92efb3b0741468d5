"""What is known of editors by their name, as `initialize` gives it."""

from __future__ import annotations

_DELAYS_MS = {"visual studio code": 50.0, "code - oss": 50.0, "vscodium": 50.0, "neovim": 200.0}
"""VS Code waits as long after a key as its requests take, at most this; Neovim always."""


def editor_delay_ms(name: str) -> float:
    """How long the editor waits after a key before it asks for ghost text; 0 where unknown."""
    return next((ms for known, ms in _DELAYS_MS.items() if name.lower().startswith(known)), 0.0)

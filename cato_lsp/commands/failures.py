"""Why a command could not do its work."""

from __future__ import annotations


class CommandFailed(Exception):
    """The text says what is wrong and what to do."""

"""Programs that a machine may not have: the tests that need them are skipped aloud.

Where CI=true, they fail instead: nobody reads there what was skipped.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

import pytest

Found = TypeVar("Found")


class Unavailable(Exception):
    """A program that cannot be had on this machine; the text says why, and what would help."""


def had_or_skipped(get: Callable[[], Found], otherwise: str) -> Found:
    """Return what `get` finds; skip with `otherwise` and the reason where it raises Unavailable.

    Fails instead of skipping where CI=true.
    """
    try:
        return get()
    except Unavailable as reason:
        message = f"{otherwise}: {reason}"
        if os.environ.get("CI") == "true":
            pytest.fail(message, pytrace=False)
        pytest.skip(message)

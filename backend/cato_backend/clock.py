"""The clock. Deciding code takes `now` as an argument; only code that does I/O reads a clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeAlias

Clock: TypeAlias = Callable[[], float]
"""Returns seconds on a clock that never goes back. Its zero has no meaning between processes."""

monotonic: Clock = time.monotonic

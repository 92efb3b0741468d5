"""Time as something handed in: deciding code takes `now`, only the edges read a clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeAlias

Clock: TypeAlias = Callable[[], float]
"""Returns seconds on a clock that never goes back. Its zero has no meaning between processes."""

monotonic: Clock = time.monotonic

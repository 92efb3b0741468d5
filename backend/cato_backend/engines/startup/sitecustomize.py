"""Runs first in every process of an engine: Python imports it by this name from PYTHONPATH.

Importing vLLM allocates so many objects that a fifth of the time goes into collections that find
nothing. An engine is three processes that each import it, one after the other.

On a CPU two of them wait for each other by `sched_yield`, each on a core of its own. Where there
are no more cores, Linux 6.18 then leaves everybody else without any for seconds: the engine's own
server too, and a stream comes all at once. To sleep a little instead lets them run.
"""

import gc
import os
import time

_NAP_S = 5e-6

gc.set_threshold(50_000, 50, 100)


def _nap() -> None:
    time.sleep(_NAP_S)


if "VLLM_CPU_KVCACHE_SPACE" in os.environ:
    os.sched_yield = _nap

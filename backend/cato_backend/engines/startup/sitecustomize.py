"""Runs first in every process of an engine: Python imports it by this name from PYTHONPATH.

Importing vLLM allocates so many objects that a fifth of the time goes into collections that find
nothing. An engine is three processes that each import it, one after the other.
"""

import gc

gc.set_threshold(50_000, 50, 100)

"""A workload against a live OpenAI-compatible server, in real time and open loop.

    report = await run_load(workload, seed, target, options)

Requests leave at their own times, however slow the server is. Workloads and scoring are those of
the simulator, so that both tiers can be laid side by side.
"""

from cato_lab.load_test.client import HeaderStyle, Lengths, Server
from cato_lab.load_test.driver import LoadOptions, LoadRun, run_load

__all__ = ["HeaderStyle", "Lengths", "LoadOptions", "LoadRun", "Server", "run_load"]

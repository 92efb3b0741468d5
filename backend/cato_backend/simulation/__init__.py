"""Virtual time: workloads, scoring, the simulator and its reports.

Workloads and scoring are shared with `cato load`, which does in real time what is simulated here.
"""

"""CATO's laboratory: measurement, simulation and comparison. Nothing here serves a request.

Its rooms: `workloads` (what arrives), `scoring` (what that was worth), `simulation` (the scheduler
in virtual time), `report` (pages of studies), `load_test` (the same workloads over HTTP),
`emulator` (a server that behaves as vLLM does), `baselines` (policies to compare with), `commands`.
"""

"""Plays a workload against a live server in real time, open loop."""

"""Latency profiles as files: read, checked, found by hardware and model, written."""

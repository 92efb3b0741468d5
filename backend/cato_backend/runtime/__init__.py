"""Drives the scheduler and the fleet: clocks and streams in, events out; decisions in, HTTP out."""

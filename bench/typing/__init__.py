"""Simulated developers type real files through language servers and plain clients."""

"""Sampled worlds in which every policy plays the same requests: `python -m bench.arena`."""

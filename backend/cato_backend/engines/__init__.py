"""The engine's own environment: its packages, its installation, and the command that starts it.

Nothing here imports torch or vllm: they live in that environment alone.
"""

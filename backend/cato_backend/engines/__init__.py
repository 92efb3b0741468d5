"""The engine's own environment: what it is made of, how it is built, how it is started.

Nothing here imports torch or vllm: they live in that environment alone.
"""

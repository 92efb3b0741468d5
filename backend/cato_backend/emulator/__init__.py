"""The engine model over HTTP: a process that speaks vLLM's protocol and keeps a profile's times."""

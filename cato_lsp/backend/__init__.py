"""Finding or starting a backend, and speaking HTTP and SSE to it."""

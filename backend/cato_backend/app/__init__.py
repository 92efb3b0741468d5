"""Where a backend is put together: its parts, the lock that keeps it single, and its end."""

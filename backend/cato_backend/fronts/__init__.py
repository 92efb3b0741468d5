"""Front processes: HTTP and TLS on their side, the queue and the fleet in the scheduler's."""

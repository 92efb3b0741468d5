"""The path of a request: events to the scheduler, decisions to replicas, streams to clients."""

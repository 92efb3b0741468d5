"""The state of one connection: documents, requests in flight, privacy, counts, status."""

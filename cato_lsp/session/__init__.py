"""What one connection holds: settings, documents, requests in flight, status."""

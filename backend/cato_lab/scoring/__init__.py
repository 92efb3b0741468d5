"""What became of requests, and how that is scored, priced and told in tables."""

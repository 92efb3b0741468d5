"""The completion service: from a request to a suggestion and its outcome."""

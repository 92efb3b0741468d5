"""What can be set: each setting once, with its default and its validation."""

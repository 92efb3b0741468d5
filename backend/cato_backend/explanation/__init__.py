"""Explains from the event log why one request was late, refused or ended. No I/O."""

"""Why one request was late, refused or ended, told from the event log. Nothing here does I/O."""

"""What other files have to say about the place that is being edited; pure, and budgeted."""

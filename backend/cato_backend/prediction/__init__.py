"""What is learned from the answers that pass through: pure, updated one observation at a time."""

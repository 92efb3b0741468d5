"""People, their teams and their tokens: the store, its index in memory, usage and budgets."""

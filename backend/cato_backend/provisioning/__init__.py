"""How many replicas of which model: demand forecast, plan, scaling rules."""

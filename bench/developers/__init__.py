"""How many developers one replica serves: a closed loop of typing, client, router and engine."""

"""How good the answers of a served model are, by class of task, on code that nobody here chose."""

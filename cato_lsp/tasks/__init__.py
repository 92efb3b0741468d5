"""Summaries and translations of one function or class: the unit, the call, the result."""

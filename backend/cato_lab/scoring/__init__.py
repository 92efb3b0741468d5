"""Outcomes of requests, their scores and prices, and tables of them."""

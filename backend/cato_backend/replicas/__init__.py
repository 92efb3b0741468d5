"""Replicas: how they are started, watched and ended, whoever runs them."""

"""Replicas: how they are started, watched and ended, here and elsewhere."""

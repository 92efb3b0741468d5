"""CATO's language server. It knows documents, syntax and edits, but no models or replicas."""

__version__ = "0.2.0"

"""CATO's language server: documents, syntax and the person; never a model or a replica."""

__version__ = "0.2.0"

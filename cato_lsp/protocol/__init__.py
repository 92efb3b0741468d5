"""The protocol: pygls' LSP where CATO differs from it, and CATO's own methods."""

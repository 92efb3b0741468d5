"""LSP as clients speak it: pygls' protocol where CATO differs, and CATO's own methods."""

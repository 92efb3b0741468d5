"""The scheduling core over engine models, in virtual time."""

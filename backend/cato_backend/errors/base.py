"""The root of the error tree, and errors that end a command or a start."""

from __future__ import annotations


class CatoError(Exception):
    """Every error that CATO raises on purpose; its text is for the person who reads it."""


class ConfigError(CatoError):
    """Configuration that cannot be used."""

    @classmethod
    def of(cls, field: str, got: object, expected: str) -> ConfigError:
        """Return the standard sentence: which field, what stood there, what belongs there."""
        return cls(f"{field}: got {got!r}, expected {expected}")


class NoRoom(ConfigError):
    """The least replicas of all models were not placed beside each other."""


class TeamError(CatoError):
    """People, teams or tokens that cannot be had or changed as was asked. `field` names what."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field

"""The root of the error tree, and errors that end a command or a start."""

from __future__ import annotations


class CatoError(Exception):
    """Base of all errors that CATO raises on purpose. The text is written for people."""


class ConfigError(CatoError):
    """Configuration that cannot be used."""

    @classmethod
    def of(cls, field: str, got: object, expected: str) -> ConfigError:
        """Return the standard sentence: which field, what stood there, what belongs there."""
        return cls(f"{field}: got {got!r}, expected {expected}")


class NoRoom(ConfigError):
    """The minimum numbers of replicas of all models do not fit on the GPUs together."""


class TeamError(CatoError):
    """People, teams or tokens that are missing or cannot be changed as asked. `field` names it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field

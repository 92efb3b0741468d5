"""Looks settings up in their sources, and reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar, cast

from cato_backend.wire.addresses import server_root

DECLARED = "setting"


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Complaint:
    """A setting that cannot be used: the next source, at last the default, holds instead."""

    setting: str
    expected: str

    def __str__(self) -> str:
        # The value is left out: a mistyped token must not reach a log.
        return f"cato: setting {self.setting!r} must be {self.expected}; it is ignored"


class Unusable(ValueError):
    """A value that does not fit its setting. The text says what is expected."""


class Lookup:
    """Sources in order of precedence, and complaints about their values."""

    def __init__(self, sources: tuple[object, ...], environment: Mapping[str, str]) -> None:
        self._sources = sources
        self._environment = environment
        self.complaints: list[Complaint] = []
        self._without: set[str] = set()
        """Settings whose default holds because nothing that was given for them is usable."""

    def fault(self, *settings: str) -> str:
        """Return what is wrong with those of `settings` that have no usable value.

        It is empty if nothing is wrong.
        """
        return "; ".join(
            f"{complaint.setting} must be {complaint.expected}"
            for complaint in self.complaints
            if complaint.setting in self._without.intersection(settings)
        )

    def find(self, setting: str, read: Callable[[object], T], default: T, variable: str = "") -> T:
        """Return the first usable value of `setting`, at last that of the variable `variable`."""
        candidates = [_at(source, setting) for source in self._sources]
        candidates.append(self._environment.get(variable) if variable else None)
        for candidate in candidates:
            # An empty string is how editors spell "not set".
            if candidate is None or candidate == "":
                continue
            try:
                value = read(candidate)
                self._without.discard(setting)
                return value
            except Unusable as error:
                self.complaints.append(Complaint(setting, str(error)))
                self._without.add(setting)
        return default


def _at(source: object, setting: str) -> object:
    """Return the value at a dotted path; a client may also write the dotted path as one key."""
    if not isinstance(source, Mapping):
        return None
    values = cast("Mapping[str, object]", source)
    if setting in values:
        return values[setting]
    head, _, rest = setting.partition(".")
    return _at(values.get(head), rest) if rest else None


def string(value: object) -> str:
    """Read a string. This and the other readers raise Unusable."""
    if not isinstance(value, str):
        raise Unusable("a string")
    return value


def url(value: object) -> str:
    """Read the root of an HTTP server."""
    try:
        return server_root(string(value))
    except ValueError as error:
        raise Unusable(str(error)) from error


def token(value: object) -> str:
    """Read a token, without the blanks and line ends that files and pastes have around it."""
    text = string(value).strip()
    if not text.isprintable() or " " in text:
        raise Unusable("a token without blanks and line ends in it")
    return text


def flag(value: object) -> bool:
    """Read true or false, also as environments spell it."""
    words = {"1": True, "true": True, "0": False, "false": False}
    flag = words.get(value.lower()) if isinstance(value, str) else value
    if not isinstance(flag, bool):
        raise Unusable("true or false")
    return flag


def integer(low: int, high: int) -> Callable[[object], int]:
    """Return a reader of integers within bounds."""

    def read(value: object) -> int:
        # JSON has one kind of number: an editor may send 75.0.
        whole = int(value) if isinstance(value, float) and value.is_integer() else value
        if isinstance(whole, bool) or not isinstance(whole, int) or not low <= whole <= high:
            raise Unusable(f"an integer from {low} to {high}")
        return whole

    return read


def share(value: object) -> float:
    """Read a number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise Unusable("a number from 0 to 1")
    return float(value)


def strings(value: object) -> tuple[str, ...]:
    """Read a list of strings."""
    if not isinstance(value, list):
        raise Unusable("a list of strings")
    return tuple(map(string, cast("list[object]", value)))


def switches(of: str) -> Callable[[object], dict[str, bool]]:
    """Return a reader of objects of a name to `{enabled: bool}`; `of` says what the names are."""
    expected = f"an object of {of} to {{enabled: bool}}"

    def enabled(entry: object) -> bool:
        if not isinstance(entry, Mapping):
            raise Unusable(expected)
        return flag(cast("Mapping[str, object]", entry).get("enabled", True))

    def read(value: object) -> dict[str, bool]:
        if not isinstance(value, Mapping):
            raise Unusable(expected)
        named = cast("Mapping[str, object]", value)
        return {name: enabled(entry) for name, entry in named.items()}

    return read


@dataclass(frozen=True, slots=True)
class Declaration:
    """The declaration of a setting: dotted name, reader, environment variable if any."""

    name: str
    read: Callable[[object], object]
    variable: str = ""


def setting(
    name: str, read: Callable[[object], object], variable: str = ""
) -> dict[str, Declaration]:
    """Return the metadata of a field that holds the setting `name`; the field has its default."""
    return {DECLARED: Declaration(name, read, variable)}

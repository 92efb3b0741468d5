"""The settings of one connection: parsed once into frozen values.

Each setting is looked up in configuration, initializationOptions, environment; the first that
holds a usable value wins, else the default. What cannot be used is collected as a `Complaint`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar, cast
from urllib.parse import urlsplit

from cato_lsp.targets import Targets

T = TypeVar("T")


class Trace(StrEnum):
    """How much of what happens goes to the log; never code."""

    OFF = "off"
    MESSAGES = "messages"
    VERBOSE = "verbose"


@dataclass(frozen=True, slots=True)
class BackendSettings:
    """Which backend to use; an empty `url` means: find or start one."""

    url: str = ""
    token: str = field(default="", repr=False)
    autostart: bool = True


@dataclass(frozen=True, slots=True)
class CompletionSettings:
    """Inline completion."""

    enabled: bool = True
    debounce_ms: int = 350
    """The longest wait; the very wait where it is not adaptive."""
    adaptive_debounce: bool = True
    max_lines: int = 40
    timeout_ms: int = 10_000


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one connection."""

    backend: BackendSettings = field(default_factory=BackendSettings)
    completion: CompletionSettings = field(default_factory=CompletionSettings)
    targets: Targets = field(default_factory=Targets)
    languages: Mapping[str, bool] = field(default_factory=dict[str, bool])
    """Language id to whether it is enabled; `*` stands for the others."""
    trace: Trace = Trace.OFF

    def enabled_for(self, language_id: str) -> bool:
        """Whether completions are wanted in this language."""
        others = self.languages.get("*", True)
        return self.completion.enabled and self.languages.get(language_id, others)


@dataclass(frozen=True, slots=True)
class Complaint:
    """A setting that cannot be used: the next source, at last the default, holds instead."""

    setting: str
    expected: str

    def __str__(self) -> str:
        # The value is left out: a mistyped token must not reach a log.
        return f"cato: setting {self.setting!r} must be {self.expected}; it is ignored"


class Unusable(ValueError):
    """A value that does not fit its setting; the text says what would."""


def parse(
    configuration: object = None,
    initialization_options: object = None,
    environment: Mapping[str, str] | None = None,
) -> tuple[Settings, tuple[Complaint, ...]]:
    """The settings, and what was wrong with the values given."""
    environment = os.environ if environment is None else environment
    lookup = _Lookup((configuration, initialization_options), environment)
    settings = Settings(
        backend=BackendSettings(
            url=lookup.find("backend.url", _url, "", "CATO_BACKEND_URL"),
            token=lookup.find("backend.token", _string, "", "CATO_BACKEND_TOKEN"),
            autostart=lookup.find("backend.autostart", _flag, True, "CATO_BACKEND_AUTOSTART"),
        ),
        completion=CompletionSettings(
            enabled=lookup.find("completion.enabled", _flag, True),
            debounce_ms=lookup.find("completion.debounceMs", _integer(0, 2000), 350),
            adaptive_debounce=lookup.find("completion.adaptiveDebounce", _flag, True),
            max_lines=lookup.find("completion.maxLines", _integer(1, 200), 40),
            timeout_ms=lookup.find("completion.timeoutMs", _integer(100, 60_000), 10_000),
        ),
        targets=Targets(
            completion_ttft_ms=lookup.find("tasks.completion.ttftMs", _target, 250),
            generation_ttft_ms=lookup.find("tasks.generation.ttftMs", _target, 1000),
            summarization_e2e_ms=lookup.find("tasks.summarization.e2eMs", _target, 3000),
            translation_e2e_ms=lookup.find("tasks.translation.e2eMs", _target, 15_000),
        ),
        languages=lookup.find("languages", _languages, dict[str, bool]()),
        trace=lookup.find("trace", _trace, Trace.OFF),
    )
    return settings, tuple(lookup.complaints)


class _Lookup:
    def __init__(self, sources: tuple[object, ...], environment: Mapping[str, str]) -> None:
        self._sources = sources
        self._environment = environment
        self.complaints: list[Complaint] = []

    def find(self, setting: str, read: Callable[[object], T], default: T, variable: str = "") -> T:
        candidates = [_at(source, setting) for source in self._sources]
        candidates.append(self._environment.get(variable) if variable else None)
        for candidate in candidates:
            # An empty string is how editors spell "not set".
            if candidate is None or candidate == "":
                continue
            try:
                return read(candidate)
            except Unusable as error:
                self.complaints.append(Complaint(setting, str(error)))
        return default


def _at(source: object, setting: str) -> object:
    """The value at a dotted path; a client may also write the dotted path as one key."""
    if not isinstance(source, Mapping):
        return None
    values = cast("Mapping[str, object]", source)
    if setting in values:
        return values[setting]
    head, _, rest = setting.partition(".")
    return _at(values.get(head), rest) if rest else None


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise Unusable("a string")
    return value


def _url(value: object) -> str:
    parts = urlsplit(_string(value).strip())
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise Unusable("a URL like http://127.0.0.1:8710")
    return parts.geturl().rstrip("/")


def _flag(value: object) -> bool:
    words = {"1": True, "true": True, "0": False, "false": False}
    flag = words.get(value.lower()) if isinstance(value, str) else value
    if not isinstance(flag, bool):
        raise Unusable("true or false")
    return flag


def _integer(low: int, high: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        # JSON has one kind of number: an editor may send 75.0.
        whole = int(value) if isinstance(value, float) and value.is_integer() else value
        if isinstance(whole, bool) or not isinstance(whole, int) or not low <= whole <= high:
            raise Unusable(f"an integer from {low} to {high}")
        return whole

    return read


_target = _integer(1, 600_000)


def _languages(value: object) -> dict[str, bool]:
    if not isinstance(value, Mapping):
        raise Unusable("an object of language id to {enabled: bool}")
    languages = cast("Mapping[str, object]", value)
    return {name: _flag(_enabled(entry)) for name, entry in languages.items()}


def _enabled(entry: object) -> object:
    if not isinstance(entry, Mapping):
        raise Unusable("an object of language id to {enabled: bool}")
    return cast("Mapping[str, object]", entry).get("enabled", True)


def _trace(value: object) -> Trace:
    try:
        return Trace(_string(value))
    except ValueError as error:
        raise Unusable("one of " + ", ".join(Trace)) from error

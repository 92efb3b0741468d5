"""The settings of one connection: declared once, parsed once into frozen values.

Each setting is looked up in configuration, initializationOptions, environment; the first that
holds a usable value wins, else the default. What cannot be used is collected as a `Complaint`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from enum import StrEnum
from typing import Any

from cato_lsp.settings.declaration import DECLARED, Declaration, setting
from cato_lsp.settings.lookup import (
    Complaint,
    Lookup,
    Unusable,
    flag,
    integer,
    own_settings,
    share,
    string,
    strings,
    switches,
    token,
    unknown_settings,
    url,
)
from cato_lsp.settings.targets import Targets

QUIET_LANGUAGES = frozenset({"markdown", "plaintext", "json", "jsonc"})
"""Nothing is suggested there unasked, unless the language or `*` is switched on."""


class Trace(StrEnum):
    """How much of what happens goes to the log; never code."""

    OFF = "off"
    MESSAGES = "messages"
    VERBOSE = "verbose"


def _trace(value: object) -> Trace:
    try:
        return Trace(string(value))
    except ValueError as error:
        raise Unusable("one of " + ", ".join(Trace)) from error


@dataclass(frozen=True, slots=True)
class BackendSettings:
    """Which backend to use; an empty `url` means: find or start one."""

    url: str = field(default="", metadata=setting("backend.url", url, "CATO_BACKEND_URL"))
    token: str = field(
        default="", repr=False, metadata=setting("backend.token", token, "CATO_BACKEND_TOKEN")
    )
    autostart: bool = field(
        default=True, metadata=setting("backend.autostart", flag, "CATO_BACKEND_AUTOSTART")
    )
    fault: str = ""
    """What is wrong with the address or the token that was given, where no other one was."""


@dataclass(frozen=True, slots=True)
class CompletionSettings:
    """Inline completion."""

    enabled: bool = field(default=True, metadata=setting("completion.enabled", flag))
    debounce_ms: int = field(
        default=350, metadata=setting("completion.debounceMs", integer(0, 2000))
    )
    """The longest wait; the very wait where it is not adaptive."""
    adaptive_debounce: bool = field(
        default=True, metadata=setting("completion.adaptiveDebounce", flag)
    )
    max_lines: int = field(default=40, metadata=setting("completion.maxLines", integer(1, 200)))
    timeout_ms: int = field(
        default=10_000, metadata=setting("completion.timeoutMs", integer(100, 60_000))
    )
    min_confidence: float | None = field(
        default=None, metadata=setting("completion.minConfidence", share)
    )
    """A suggestion ends before it is less likely right than this, by the engine's own word, else by
    an estimate; None: what suits the model."""
    min_accept_probability: float = field(
        default=0.0, metadata=setting("completion.minAcceptProbability", share)
    )
    """What the person is less likely to accept is not shown; 0: that is not looked at."""
    min_show_delay_ms: int = field(
        default=0, metadata=setting("completion.minShowDelayMs", integer(0, 2000))
    )
    """Nothing new is shown sooner after a key."""


@dataclass(frozen=True, slots=True)
class CodeLensSettings:
    """Tasks above functions and classes.

    Off by default: the lines take room in every file, and the tasks are also code actions.
    """

    enabled: bool = field(default=False, metadata=setting("codeLens.enabled", flag))


@dataclass(frozen=True, slots=True)
class PrivacySettings:
    """Files that are never sent to a model."""

    ignore: tuple[str, ...] = field(default=(), metadata=setting("privacy.ignore", strings))
    """Globs as in .gitignore, relative to any folder of the workspace."""
    gitignore: bool = field(default=True, metadata=setting("privacy.gitignore", flag))
    """Whether what git ignores is kept, too."""
    folders: Mapping[str, bool] = field(
        default_factory=dict[str, bool], metadata=setting("privacy.folders", switches("folder"))
    )
    """Folder (absolute, of the home folder, or of the workspace) to whether it is enabled; the
    innermost one decides."""


@dataclass(frozen=True, slots=True)
class FeedbackSettings:
    """Storage and sending of the outcomes of suggestions; never their text."""

    store: bool = field(default=True, metadata=setting("feedback.store", flag))
    """On this machine, for `cato stats`."""
    send: bool = field(default=False, metadata=setting("feedback.send", flag))
    """To the backend."""


@dataclass(frozen=True, slots=True)
class TracingSettings:
    """OpenTelemetry traces of completions, from the person's key on; never a character of code."""

    enabled: bool = field(default=False, metadata=setting("tracing.enabled", flag))


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one connection."""

    backend: BackendSettings = field(default_factory=BackendSettings)
    completion: CompletionSettings = field(default_factory=CompletionSettings)
    targets: Targets = field(default_factory=Targets)
    code_lens: CodeLensSettings = field(default_factory=CodeLensSettings)
    languages: Mapping[str, bool] = field(
        default_factory=dict[str, bool], metadata=setting("languages", switches("language id"))
    )
    """Language id to whether it is enabled; `*` stands for the others."""
    privacy: PrivacySettings = field(default_factory=PrivacySettings)
    feedback: FeedbackSettings = field(default_factory=FeedbackSettings)
    tracing: TracingSettings = field(default_factory=TracingSettings)
    trace: Trace = field(default=Trace.OFF, metadata=setting("trace", _trace))

    def enabled_for(self, language_id: str, *, automatic: bool) -> bool:
        """Return whether completions are wanted in this language.

        Automatic ones are off by default in `QUIET_LANGUAGES`.
        """
        others = self.languages.get("*", not (automatic and language_id in QUIET_LANGUAGES))
        return self.completion.enabled and self.languages.get(language_id, others)


def parse(
    configuration: object = None,
    initialization_options: object = None,
    environment: Mapping[str, str] | None = None,
) -> tuple[Settings, tuple[Complaint, ...]]:
    """Return the settings, and what was wrong with the values given."""
    environment = os.environ if environment is None else environment
    sources = (own_settings(configuration), own_settings(initialization_options))
    lookup = Lookup(sources, environment)
    settings = Settings(**_read(Settings, lookup))
    fault = lookup.fault("backend.url", "backend.token")
    settings = replace(settings, backend=replace(settings.backend, fault=fault))
    unknown = (each for source in sources for each in unknown_settings(source, lookup.names))
    return settings, (*lookup.complaints, *unknown, *_vain_patterns(settings.privacy.ignore))


def _read(section: type[Any], lookup: Lookup) -> dict[str, Any]:
    """Return the values of the declared fields, and of those that are sections themselves."""
    values: dict[str, Any] = {}
    for one in fields(section):
        declared: Declaration | None = one.metadata.get(DECLARED)
        make: Any = one.default_factory
        if declared is not None:
            default = one.default if make is MISSING else make()
            values[one.name] = lookup.find(declared.name, declared.read, default, declared.variable)
        elif make is not MISSING:
            values[one.name] = make(**_read(make, lookup))
    return values


def _vain_patterns(patterns: tuple[str, ...]) -> Iterator[Complaint]:
    """Yield a complaint about each pattern that can never match."""
    if patterns:
        # What reads patterns takes a while to import, and most people have none.
        from cato_lsp.settings.patterns import problem

        for pattern in patterns:
            if (why := problem(pattern)) is not None:
                yield Complaint("privacy.ignore", f"patterns that can match: {pattern!r}, {why}")

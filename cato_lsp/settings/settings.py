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

from cato_backend.wire.headers import Task
from cato_lsp.settings.lookup import (
    DECLARED,
    Complaint,
    Declaration,
    Lookup,
    Unusable,
    flag,
    integer,
    setting,
    share,
    string,
    strings,
    switches,
    token,
    url,
)

TRANSLATION_BASE_MS, TRANSLATION_TOKEN_MS = 2000, 30

FILE_SUMMARY_MS = 8000
"""When a summary of several functions and classes is due."""

QUIET_LANGUAGES = frozenset({"markdown", "plaintext", "json", "jsonc"})
"""Nothing is suggested there unasked, unless the language or `*` is switched on."""


_TARGETS = {
    "completion_ttft_ms": Task.COMPLETION,
    "generation_ttft_ms": Task.GENERATION,
    "summarization_e2e_ms": Task.SUMMARIZATION,
    "translation_e2e_ms": Task.TRANSLATION,
}


_target = integer(1, 600_000)


@dataclass(frozen=True, slots=True)
class Targets:
    """SLO targets in milliseconds, counted from the keystroke or command."""

    completion_ttft_ms: int = field(
        default=250, metadata=setting("tasks.completion.ttftMs", _target)
    )
    generation_ttft_ms: int = field(
        default=1000, metadata=setting("tasks.generation.ttftMs", _target)
    )
    summarization_e2e_ms: int = field(
        default=3000, metadata=setting("tasks.summarization.e2eMs", _target)
    )
    translation_e2e_ms: int = field(
        default=15_000, metadata=setting("tasks.translation.e2eMs", _target)
    )
    """At most: a short translation is due sooner."""
    summary_times: float = 1.0
    translation_times: float = 1.0
    """How many times as long the backend's hardware needs as the defaults allow; not settings."""

    def on_hardware(self, needed_ms: Mapping[str, float]) -> Targets:
        """Return the targets on a backend that needs these milliseconds, by class.

        Defaults become as long where they are shorter. A target that the person has set stays.
        """
        plain = Targets()
        needed = {
            name: max(getattr(plain, name), round(needed_ms.get(task, 0.0)))
            for name, task in _TARGETS.items()
        }
        longer = {
            name: target_ms
            for name, target_ms in needed.items()
            if getattr(self, name) == getattr(plain, name)
        }
        return replace(
            self,
            **longer,
            summary_times=needed["summarization_e2e_ms"] / plain.summarization_e2e_ms,
            translation_times=needed["translation_e2e_ms"] / plain.translation_e2e_ms,
        )

    def summarization_ms(self, units: int) -> int:
        """Return the target of a summary of this number of functions and classes."""
        own = self.summarization_e2e_ms
        return own if units == 1 else max(own, round(FILE_SUMMARY_MS * self.summary_times))

    def translation_ms(self, expected_tokens: int) -> int:
        """Return the target of a translation of this number of tokens."""
        own = TRANSLATION_BASE_MS + TRANSLATION_TOKEN_MS * expected_tokens
        return min(self.translation_e2e_ms, round(own * self.translation_times))


class Trace(StrEnum):
    """Levels of the log. It never holds code."""

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
    """The problem of the given address or token, where no other source has one."""


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
    """Suggestions that are less likely to be accepted are hidden; 0: none."""
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
    lookup = Lookup((configuration, initialization_options), environment)
    settings = Settings(**_read(Settings, lookup))
    fault = lookup.fault("backend.url", "backend.token")
    settings = replace(settings, backend=replace(settings.backend, fault=fault))
    return settings, (*lookup.complaints, *_vain_patterns(settings.privacy.ignore))


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

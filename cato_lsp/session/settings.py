"""The settings of one connection: parsed once into frozen values.

Each setting is looked up in configuration, initializationOptions, environment; the first that
holds a usable value wins, else the default. What cannot be used is collected as a `Complaint`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from cato_lsp.session.lookup import (
    Complaint,
    Lookup,
    Unusable,
    flag,
    integer,
    share,
    string,
    strings,
    switches,
    token,
    url,
)
from cato_lsp.targets import Targets


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
    fault: str = ""
    """What is wrong with the address or the token that was given, where no other one was."""


@dataclass(frozen=True, slots=True)
class CompletionSettings:
    """Inline completion."""

    enabled: bool = True
    debounce_ms: int = 350
    """The longest wait; the very wait where it is not adaptive."""
    adaptive_debounce: bool = True
    max_lines: int = 40
    timeout_ms: int = 10_000
    min_confidence: float | None = None
    """A suggestion ends before it is less likely right than this, by the engine's own word; None:
    what suits the model."""
    min_accept_probability: float = 0.0
    """What the person is less likely to accept is not shown; 0: that is not looked at."""
    min_show_delay_ms: int = 0
    """Nothing new is shown sooner after a key."""


@dataclass(frozen=True, slots=True)
class PrivacySettings:
    """What the person keeps to themselves."""

    ignore: tuple[str, ...] = ()
    """Globs as in .gitignore, relative to any folder of the workspace."""
    gitignore: bool = True
    """Whether what git ignores is kept, too."""
    folders: Mapping[str, bool] = field(default_factory=dict[str, bool])
    """Folder (absolute, of the home folder, or of the workspace) to whether it is enabled; the
    innermost one decides."""


@dataclass(frozen=True, slots=True)
class FeedbackSettings:
    """What becomes of suggestions; never a character of them."""

    store: bool = True
    """On this machine, for `cato stats`."""
    send: bool = False
    """To the backend."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one connection."""

    backend: BackendSettings = field(default_factory=BackendSettings)
    completion: CompletionSettings = field(default_factory=CompletionSettings)
    targets: Targets = field(default_factory=Targets)
    languages: Mapping[str, bool] = field(default_factory=dict[str, bool])
    """Language id to whether it is enabled; `*` stands for the others."""
    privacy: PrivacySettings = field(default_factory=PrivacySettings)
    feedback: FeedbackSettings = field(default_factory=FeedbackSettings)
    trace: Trace = Trace.OFF

    def enabled_for(self, language_id: str, *, automatic: bool) -> bool:
        """Whether completions are wanted in this language.

        Automatic ones are off by default in `QUIET_LANGUAGES`.
        """
        others = self.languages.get("*", not (automatic and language_id in QUIET_LANGUAGES))
        return self.completion.enabled and self.languages.get(language_id, others)


_TARGET = integer(1, 600_000)
QUIET_LANGUAGES = frozenset({"markdown", "plaintext", "json", "jsonc"})
"""Nothing is suggested there unasked, unless the language or `*` is switched on."""


def parse(
    configuration: object = None,
    initialization_options: object = None,
    environment: Mapping[str, str] | None = None,
) -> tuple[Settings, tuple[Complaint, ...]]:
    """The settings, and what was wrong with the values given."""
    environment = os.environ if environment is None else environment
    lookup = Lookup((configuration, initialization_options), environment)
    settings = Settings(
        backend=BackendSettings(
            url=lookup.find("backend.url", url, "", "CATO_BACKEND_URL"),
            token=lookup.find("backend.token", token, "", "CATO_BACKEND_TOKEN"),
            autostart=lookup.find("backend.autostart", flag, True, "CATO_BACKEND_AUTOSTART"),
            fault=lookup.fault("backend.url", "backend.token"),
        ),
        completion=CompletionSettings(
            enabled=lookup.find("completion.enabled", flag, True),
            debounce_ms=lookup.find("completion.debounceMs", integer(0, 2000), 350),
            adaptive_debounce=lookup.find("completion.adaptiveDebounce", flag, True),
            max_lines=lookup.find("completion.maxLines", integer(1, 200), 40),
            timeout_ms=lookup.find("completion.timeoutMs", integer(100, 60_000), 10_000),
            min_confidence=lookup.find("completion.minConfidence", share, None),
            min_accept_probability=lookup.find("completion.minAcceptProbability", share, 0.0),
            min_show_delay_ms=lookup.find("completion.minShowDelayMs", integer(0, 2000), 0),
        ),
        targets=Targets(
            completion_ttft_ms=lookup.find("tasks.completion.ttftMs", _TARGET, 250),
            generation_ttft_ms=lookup.find("tasks.generation.ttftMs", _TARGET, 1000),
            summarization_e2e_ms=lookup.find("tasks.summarization.e2eMs", _TARGET, 3000),
            translation_e2e_ms=lookup.find("tasks.translation.e2eMs", _TARGET, 15_000),
        ),
        languages=lookup.find("languages", switches("language id"), dict[str, bool]()),
        privacy=PrivacySettings(
            ignore=lookup.find("privacy.ignore", strings, ()),
            gitignore=lookup.find("privacy.gitignore", flag, True),
            folders=lookup.find("privacy.folders", switches("folder"), dict[str, bool]()),
        ),
        feedback=FeedbackSettings(
            store=lookup.find("feedback.store", flag, True),
            send=lookup.find("feedback.send", flag, False),
        ),
        trace=lookup.find("trace", _trace, Trace.OFF),
    )
    return settings, (*lookup.complaints, *_vain_patterns(settings.privacy.ignore))


def _vain_patterns(patterns: tuple[str, ...]) -> Iterator[Complaint]:
    """Those that can never match."""
    if patterns:
        # What reads patterns takes a while to import, and most people have none.
        from cato_lsp.session.ignoring import problem

        for pattern in patterns:
            if (why := problem(pattern)) is not None:
                yield Complaint("privacy.ignore", f"patterns that can match: {pattern!r}, {why}")


def _trace(value: object) -> Trace:
    try:
        return Trace(string(value))
    except ValueError as error:
        raise Unusable("one of " + ", ".join(Trace)) from error

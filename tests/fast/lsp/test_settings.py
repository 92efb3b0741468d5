"""Settings: where they come from, which wins, what becomes of bad ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cato_lsp.settings.settings import Settings, Targets, Trace, parse


def check(
    expected: dict[str, Any], *sources: Any, environment: dict[str, str] | None = None
) -> None:
    """Parses `sources` and looks at the attributes that `expected` names by dotted paths."""
    settings, complaints = parse(*sources, environment=environment or {})
    assert complaints == ()
    for path, value in expected.items():
        found: Any = settings
        for name in path.split("."):
            found = getattr(found, name)
        assert found == value, path


def test_nothing_given_is_the_table_of_defaults() -> None:
    assert parse(environment={}) == (Settings(), ())


@pytest.mark.parametrize(
    ("configuration", "options", "environment", "url"),
    [
        ("http://a:1", "http://b:1", "http://c:1", "http://a:1"),
        (None, "http://b:1/", "http://c:1", "http://b:1"),
        ("", None, "http://c:1", "http://c:1"),
        (None, None, "", ""),
    ],
)
def test_the_earlier_source_wins(
    configuration: str | None, options: str | None, environment: str, url: str
) -> None:
    check(
        {"backend.url": url},
        {"backend": {"url": configuration}},
        {"backend": {"url": options}},
        environment={"CATO_BACKEND_URL": environment},
    )


def test_every_setting_is_read() -> None:
    check(
        {
            "backend.token": "t",
            "backend.autostart": False,
            "completion.enabled": False,
            "completion.debounce_ms": 0,
            "completion.max_lines": 1,
            "completion.timeout_ms": 60_000,
            "targets.completion_ttft_ms": 1,
            "targets.generation_ttft_ms": 2,
            "targets.summarization_e2e_ms": 3,
            "targets.translation_e2e_ms": 4,
            "languages": {"python": False, "*": True},
            "trace": Trace.VERBOSE,
        },
        {
            "backend": {"token": "t"},
            "completion": {"enabled": False, "debounceMs": 0.0, "maxLines": 1},
            "completion.timeoutMs": 60_000,
            "tasks": {
                "completion": {"ttftMs": 1},
                "generation.ttftMs": 2,
                "summarization": {"e2eMs": 3},
                "translation": {"e2eMs": 4},
            },
            "languages": {"python": {"enabled": False}, "*": {}},
            "trace": "verbose",
        },
        None,
        environment={"CATO_BACKEND_AUTOSTART": "false"},
    )


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("backend.url", "ftp://host"),
        ("backend.url", "localhost:8700"),
        ("backend.token", 7),
        ("backend.autostart", "maybe"),
        ("completion.enabled", 1),
        ("completion.debounceMs", -1),
        ("completion.debounceMs", 2001),
        ("completion.maxLines", True),
        ("completion.maxLines", 1.5),
        ("completion.timeoutMs", "soon"),
        ("tasks.completion.ttftMs", 0),
        ("languages", ["python"]),
        ("languages", {"python": True}),
        ("trace", "loud"),
    ],
)
def test_a_bad_value_is_complained_about_and_the_next_source_holds(
    setting: str, value: object
) -> None:
    settings, (complaint,) = parse({setting: value}, environment={})
    assert replace(settings, backend=replace(settings.backend, fault="")) == Settings()
    assert complaint.setting == setting
    assert setting in str(complaint)
    # Without the address or the token that was meant no other backend is taken.
    assert (setting in settings.backend.fault) == (setting in {"backend.url", "backend.token"})


def test_something_that_is_no_object_is_no_settings() -> None:
    assert parse([1, 2], "x", environment={}) == (Settings(), ())


@pytest.mark.parametrize(
    ("languages", "language_id", "enabled", "automatic"),
    [
        ({}, "python", True, True),
        ({"*": {"enabled": False}}, "python", False, False),
        ({"*": {"enabled": False}, "python": {}}, "python", True, True),
        ({"python": {"enabled": False}}, "go", True, True),
        ({}, "markdown", True, False),
        ({"*": {"enabled": True}}, "json", True, True),
        ({"markdown": {"enabled": True}}, "markdown", True, True),
        ({"markdown": {"enabled": False}}, "markdown", False, False),
    ],
)
def test_a_language_can_be_switched_off_and_on(
    languages: dict[str, Any], language_id: str, enabled: bool, automatic: bool
) -> None:
    settings, _ = parse({"languages": languages}, environment={})
    assert settings.enabled_for(language_id, automatic=False) is enabled
    assert settings.enabled_for(language_id, automatic=True) is automatic


def test_no_token_is_shown() -> None:
    settings, _ = parse({"backend": {"token": "s3cret"}}, environment={})
    assert "s3cret" not in repr(settings)


def test_a_complaint_does_not_repeat_what_may_be_a_token() -> None:
    _, (complaint,) = parse({"backend": {"url": "s3cret"}}, environment={})
    assert "s3cret" not in str(complaint)


def test_targets_are_longer_on_slow_hardware_unless_the_person_set_them() -> None:
    needed_ms = {"completion": 500, "generation": 900, "summarization": 9000, "translation": 37_500}
    found = Targets(summarization_e2e_ms=4000).on_hardware(needed_ms)
    assert found.completion_ttft_ms == 500
    assert found.generation_ttft_ms == Targets().generation_ttft_ms
    assert found.summarization_e2e_ms == 4000
    assert found.summarization_ms(1) == 4000
    assert found.summarization_ms(3) == 24_000
    assert found.translation_ms(100) == 12_500
    assert found.translation_ms(10_000) == 37_500
    assert Targets().on_hardware({}) == Targets()

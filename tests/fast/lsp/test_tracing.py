"""When the language server traces completions, and what it says where it cannot."""

from __future__ import annotations

import sys

import pytest

from cato_lsp.session.tracing import Tracing


async def test_a_missing_extra_is_named_and_nothing_is_traced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "cato_lsp.tracing.spans", None)
    warned: list[str] = []
    tracing = Tracing(warned.append)
    await tracing.follow(wanted=True)
    assert tracing.spans is None
    assert len(warned) == 1
    assert "extra [otel]" in warned[0]
    await tracing.close()


async def test_it_begins_and_ends_with_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    tracing = Tracing(pytest.fail)
    await tracing.follow(wanted=True)
    assert tracing.spans is not None
    span = tracing.spans.begin(20.0, "r", "completion", "python")
    assert span.headers() == {}, "a disabled SDK has no context to pass on"
    span.ended(None, "")
    await tracing.follow(wanted=False)
    assert tracing.spans is None

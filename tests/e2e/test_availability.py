"""What cannot be had is skipped, and fails where nobody would read that it was skipped."""

from __future__ import annotations

import pytest
from _pytest.outcomes import OutcomeException

from tests.e2e.availability import Unavailable, had_or_skipped


def missing() -> str:
    raise Unavailable("no such package")


@pytest.mark.parametrize(
    ("ci", "outcome"),
    [("true", pytest.fail.Exception), ("", pytest.skip.Exception)],
)
def test_a_missing_tool_fails_in_ci_and_skips_elsewhere(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[OutcomeException]
) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="NO EDITOR: no such package"):
        had_or_skipped(missing, "NO EDITOR")


def test_what_is_there() -> None:
    assert had_or_skipped(lambda: "vi", "NO EDITOR") == "vi"

"""Target languages of translations, by every usual name."""

from __future__ import annotations

import pytest

from cato_lsp.tasks.kinds import TITLES, UnknownLanguage, target_language


@pytest.mark.parametrize(
    ("name", "identifier"),
    [("C++", "cpp"), ("c#", "csharp"), (" Go ", "go"), ("golang", "go"), ("TS", "typescript")],
)
def test_usual_names_are_understood(name: str, identifier: str) -> None:
    assert target_language(name) == identifier


def test_identifiers_and_titles_are_understood() -> None:
    for identifier, title in TITLES.items():
        assert target_language(identifier) == target_language(title) == identifier


@pytest.mark.parametrize("name", ["klingon", "", "english"])
def test_others_are_refused_by_name(name: str) -> None:
    with pytest.raises(UnknownLanguage, match=f"translation to '{name}': expected one of c, cpp"):
        target_language(name)

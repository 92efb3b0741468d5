"""Names that a reader can rely on."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("backend/cato_backend", "backend/cato_lab", "cato_lsp")
DOCUMENTS = (
    "*.md",
    "docs/**/*.md",
    "bench/**/*.md",
    "neovim-plugin/**/*",
    "vscode-extension/*.json",
)

FANCIFUL = {
    "Book": "ReplicaModel",
    "Dice": "SplitMix",
    "Flight": "InFlightRequest",
    "Gatherer": "ContextCollector",
    "Hopeless": "RelegatedQueue",
    "Inquiry": "CompletionRequest",
    "Leg": "UpstreamRoute",
    "Opinions": "FurtherAnswers",
    "Pilot": "RequestDriver",
    "RequestStory": "RequestTimeline",
    "Roster": "ReplicaPool",
    "Scorekeeper": "OutcomeRecorder",
    "Sender": "ClientIds",
    "Standing": "BackendStatus",
    "Typist": "TypingClient",
    "Understood": "CompletionContext",
    "Wishes": "RequestOptions",
    "Workbench": "CompletionService",
    "Workshop": "SharedFleet",
}
"""Class names that said nothing to a newcomer, and what stands in their place."""

OVERUSED = {
    "anew": "again",
    "came of it": "outcome, result",
    "becomes of": "the outcome",
    "became of it": "the outcome",
    "goes before": "takes precedence",
    "hopeless": "relegated, unlikely",
    "of late": "recently",
    "read to a model": "sent to a model",
    "takes note": "records",
    "whoever": "the client, the caller, the reader",
}
"""Words that this project over-used, and the ordinary ones."""


@pytest.mark.parametrize("package", PACKAGES)
def test_a_class_name_has_one_meaning_in_a_package(package: str) -> None:
    defined = defaultdict[str, list[str]](list)
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                defined[node.name].append(str(path.relative_to(ROOT)))
    assert {name: paths for name, paths in defined.items() if len(paths) > 1} == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_no_class_has_a_fanciful_name(package: str) -> None:
    defined = {
        node.name
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    }
    assert {name: FANCIFUL[name] for name in defined & FANCIFUL.keys()} == {}


def texts() -> Iterator[tuple[Path, str]]:
    """Code and documents that are read as text; CHANGELOG tells the past."""
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            yield path, path.read_text(encoding="utf-8")
    for pattern in DOCUMENTS:
        for path in ROOT.glob(pattern):
            if path.suffix in {".md", ".lua", ".txt", ".json"} and "lock" not in path.name:
                yield path, path.read_text(encoding="utf-8")


@pytest.mark.parametrize("phrase", OVERUSED)
def test_overused_words_are_absent(phrase: str) -> None:
    pattern = re.compile(r"\b" + re.escape(phrase).replace(r"\ ", r"\s+") + r"\b", re.IGNORECASE)
    found = [str(path.relative_to(ROOT)) for path, text in texts() if pattern.search(text)]
    assert found == [], f"say {OVERUSED[phrase]!r}"

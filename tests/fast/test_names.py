"""Names that a reader can rely on."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("backend/cato_backend", "backend/cato_lab", "cato_lsp")


@pytest.mark.parametrize("package", PACKAGES)
def test_a_class_name_has_one_meaning_in_a_package(package: str) -> None:
    defined = defaultdict[str, list[str]](list)
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                defined[node.name].append(str(path.relative_to(ROOT)))
    assert {name: paths for name, paths in defined.items() if len(paths) > 1} == {}

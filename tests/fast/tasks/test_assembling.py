"""Translated units as one file."""

from __future__ import annotations

import pytest

from cato_backend.tasks.assembling import assembled


@pytest.mark.parametrize(
    ("language", "units", "text"),
    [
        ("go", ["package main\n\nfunc a() {}", ""], "package main\n\nfunc a() {}"),
        (
            "go",
            [
                'package main\n\nimport (\n\t"fmt"\n\t"os"\n)\n\nfunc a() {}',
                'package main\n\nimport "fmt"\n\nfunc b() {}',
            ],
            'package main\nimport "fmt"\nimport "os"\n\nfunc a() {}\n\nfunc b() {}',
        ),
        (
            "python",
            ["import os\n\ndef a():\n    import re", "from x import y\nimport os\nb = 1"],
            "import os\nfrom x import y\n\ndef a():\n    import re\n\nb = 1",
        ),
        (
            "typescript",
            ["import a from 'a';\nf();", "const b = require('b');\ng();"],
            "import a from 'a';\nconst b = require('b');\n\nf();\n\ng();",
        ),
        (
            "cpp",
            ["#include <a>\nint a;", "#include <a>\nint b;"],
            "#include <a>\n\nint a;\n\nint b;",
        ),
        ("klingon", ["import a\nx", "import a\ny"], "import a\nx\n\nimport a\ny"),
    ],
)
def test_imports_stand_at_the_top_once(language: str, units: list[str], text: str) -> None:
    assert assembled(units, language) == text


def test_nothing_is_lost_but_repeated_imports() -> None:
    assert assembled([], "go") == ""
    assert assembled(["", " "], "go") == ""
    assert assembled(["import x\nx"], "python") == "import x\nx"

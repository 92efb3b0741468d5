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
        (
            "python",
            [
                "import os\na = os",
                "from __future__ import annotations\nimport re\nb = re",
            ],
            "from __future__ import annotations\nimport os\nimport re\n\na = os\n\nb = re",
        ),
        (
            "python",
            [
                '# it\'s\nimport os\nTEXT = """\nimport this\n"""',
                "import re\nb = '\\''\n'''\nimport that\n'''",
            ],
            'import os\nimport re\n\n# it\'s\nTEXT = """\nimport this\n"""'
            "\n\nb = '\\''\n'''\nimport that\n'''",
        ),
        (
            "php",
            ["<?php\nuse A\\B;\nf();", "<?php\nnamespace C\\D;\nuse A\\E;\ng();"],
            "<?php\nnamespace C\\D;\nuse A\\B;\nuse A\\E;\n\nf();\n\ng();",
        ),
        (
            "php",
            ["<?php\nnamespace C;\nf();", "<?php\ndeclare(strict_types=1);\nnamespace C;\ng();"],
            "<?php\ndeclare(strict_types=1);\nnamespace C;\n\nf();\n\ng();",
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

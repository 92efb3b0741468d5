"""A whole file in parts: its definitions, what lies between, what uses what."""

from __future__ import annotations

import pytest

from cato_lsp.syntax import open_document
from cato_lsp.syntax.parts import definition_count, definitions_in, parts_of, signature_of, uses_of
from cato_lsp.syntax.units import statement_lines, syntax_errors
from cato_lsp.text.snapshot import Snapshot

PYTHON = '''"""A demo."""

import os
from math import pi

LIMIT = 3


@cache
def area(r):
    return pi * r * r


class Circle(Shape):
    def __init__(self, r):
        self.r = r

    def area(self):
        return area(self.r)


if __name__ == "__main__":
    print(Circle(LIMIT).area())
'''


def snapshot_of(text: str, language: str = "python") -> Snapshot:
    return open_document("file:///x", language, 1, text).snapshot()


def test_a_file_is_its_imports_its_definitions_and_the_rest() -> None:
    parts = parts_of(snapshot_of(PYTHON))
    assert [(unit.name, unit.kind) for unit in parts.units] == [
        ("", "code"),
        ("area", "function"),
        ("Circle", "class"),
        ("", "code"),
    ]
    assert parts.units[1].text.startswith("@cache\ndef area")
    kept = parts.imports + "".join(unit.text for unit in parts.units)
    assert sorted("".join(kept.split())) == sorted("".join(PYTHON.split()))


@pytest.mark.parametrize(
    ("language", "imports"),
    [
        ("python", "from x import (\n    a,  # (\n    b,\n)"),
        ("python", "from x import (a,\n               b)\nimport os"),
        ("python", "from x import a"),
        ("javascript", "import {\n  a,\n  b,\n} from 'x';"),
        ("javascript", "const {\n  a,\n} = require('x');"),
        ("typescript", "import type {\n  A,\n} from 'x';\nimport B from 'y';"),
        ("go", 'import (\n\t"fmt"\n\t"os"\n)'),
        ("rust", "use std::{\n    fs,\n    io::{self, Read},\n};"),
        ("php", "use A\\{\n    B,\n    C,\n};"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_an_import_of_several_lines_is_one(language: str, imports: str, end: str) -> None:
    text = f"{imports}\n\nx = y;\n".replace("\n", end)
    parts = parts_of(snapshot_of(text, language))
    assert "".join(parts.imports.split()) == "".join(imports.split())
    assert [unit.text for unit in parts.units] == ["x = y;"]


def test_a_statement_that_holds_an_import_is_none() -> None:
    text = "const config = {\n  plugins: [require('x')],\n};\n"
    parts = parts_of(snapshot_of(text, "javascript"))
    assert (parts.imports, [unit.text for unit in parts.units]) == ("", [text.rstrip()])


def test_an_import_whose_bracket_stays_open_is_its_first_line() -> None:
    parts = parts_of(snapshot_of("from x import (\nx = 1\n"))
    assert (parts.imports, [unit.text for unit in parts.units]) == ("from x import (", ["x = 1"])


def test_imports_before_the_first_code_are_told_apart() -> None:
    parts = parts_of(snapshot_of("import os\n\nimport re\nx = 1\n"))
    assert parts.imports == "import os\nimport re"
    assert [unit.text for unit in parts.units] == ["x = 1"]


@pytest.mark.parametrize(
    ("language", "text", "names"),
    [
        ("python", PYTHON, ["area", "Circle", "__init__", "area"]),
        (
            "typescript",
            "export class A {\n  m() {}\n}\nexport const f = () => 1;\nfunction g() {}\n",
            ["A", "m", "f", "g"],
        ),
        ("go", "package p\n\ntype S struct{}\n\nfunc (s S) M() {}\nfunc F() {}\n", ["S", "M", "F"]),
        ("rust", "mod a {\n  pub fn f() {}\n}\nimpl A {\n  fn g() {}\n}\n", ["f", "A", "g"]),
        ("csharp", "namespace N {\n  class A {\n    int F() { return 1; }\n  }\n}\n", ["A", "F"]),
        (
            "cpp",
            "namespace n {\nint f() { return 1; }\nclass A { void m() {} };\n}\n",
            ["f", "A", "m"],
        ),
        ("java", "class A {\n  int f() { return 1; }\n}\n", ["A", "f"]),
        ("ruby", "module M\n  class A\n    def f\n    end\n  end\nend\n", ["M", "A", "f"]),
        ("php", "<?php\nclass A {\n  function f() {}\n}\nfunction g() {}\n", ["A", "f", "g"]),
    ],
)
def test_definitions_with_those_inside(language: str, text: str, names: list[str]) -> None:
    snapshot = snapshot_of(text, language)
    found = definitions_in(snapshot, 0, len(text), nested=True)
    assert [unit.name for unit in found] == names


@pytest.mark.parametrize(("most", "expected"), [(9, 4), (4, 4), (3, 3)])
def test_definitions_are_counted_up_to_a_bound(most: int, expected: int) -> None:
    assert definition_count(snapshot_of(PYTHON), most) == expected


def test_without_a_tree_there_are_none_to_count() -> None:
    assert definition_count(snapshot_of("function f() end", "lua"), 9) == 0


def test_only_what_begins_within_the_range() -> None:
    snapshot = snapshot_of(PYTHON)
    start, end = PYTHON.index("class"), PYTHON.index("    def area")
    found = definitions_in(snapshot, start, end, nested=True)
    assert [unit.name for unit in found] == ["Circle", "__init__"]


@pytest.mark.parametrize(
    ("language", "text", "kind"),
    [("lua", "local x = 1\nfunction f() end\n", "file"), ("python", "x = 1\n", "file")],
)
def test_what_has_no_definition_is_one_unit(language: str, text: str, kind: str) -> None:
    (unit,) = parts_of(snapshot_of(text, language)).units
    assert (unit.kind, unit.text) == (kind, text.rstrip())


@pytest.mark.parametrize("text", ["", "\n\n", "   \n", "import os\n"])
def test_a_file_of_nothing_has_no_units(text: str) -> None:
    assert parts_of(snapshot_of(text)).units == ()


def test_a_file_with_syntax_errors_loses_nothing() -> None:
    text = "def f(:\n    return 1\n\n\ndef g():\n    return 2\n\n\nx = (\n"
    parts = parts_of(snapshot_of(text))
    assert "".join("".join(unit.text.split()) for unit in parts.units) == "".join(text.split())


def test_crlf_stays_in_the_texts() -> None:
    text = PYTHON.replace("\n", "\r\n")
    assert [unit.text for unit in parts_of(snapshot_of(text)).units] == [
        unit.text.replace("\n", "\r\n") for unit in parts_of(snapshot_of(PYTHON)).units
    ]


def test_what_a_unit_uses_is_told_by_its_words() -> None:
    units = parts_of(snapshot_of(PYTHON)).units
    assert uses_of(units) == ((), (), (1,), (1, 2))


def test_a_class_is_told_with_its_methods() -> None:
    snapshot = snapshot_of(PYTHON)
    circle = parts_of(snapshot).units[2]
    assert signature_of(snapshot, circle).splitlines() == [
        "class Circle(Shape):",
        "    def __init__(self, r):",
        "    def area(self):",
    ]


def test_statements_are_told_by_their_lines() -> None:
    body = "    b = [\n        1,\n    ]\n    if a:\n        c()\n    return '''\nd = 1\n'''\n"
    text = f"x = 1\n\ndef f(a):\n{body}"
    snapshot = snapshot_of(text)
    unit = parts_of(snapshot).units[1]
    assert statement_lines(snapshot, unit) == (1, 4, 5, 6)


def test_syntax_errors_are_told_by_their_lines() -> None:
    assert syntax_errors(snapshot_of("x = 1\n")) == ()
    assert syntax_errors(snapshot_of("x = \n", "lua")) == ()
    ((line, message),) = syntax_errors(snapshot_of("int f() {\n  return 1\n}\n", "c"))
    assert (line, message) == (1, "; is missing")

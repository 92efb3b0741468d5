"""Which piece of a file the cursor is in; the expected one stands between « and »."""

from __future__ import annotations

import pytest

from cato_lsp.syntax import open_document
from cato_lsp.syntax.units import unit_at
from tests.fast.lsp.marked import place

CASES = [
    ("python", "x = 1\n\n«def f(a):\n    re|turn a»\n\ny = 2\n", "f", "function"),
    ("python", "«# Adds.\n@a\n@b(1)\ndef f(a):\n    re|turn a»\n", "f", "function"),
    ("python", "«# Adds.\n@|a\ndef f(a):\n    return a»\n", "f", "function"),
    ("python", "«# Ad|ds.\n@a\ndef f(a):\n    return a»\n", "f", "function"),
    ("python", "# Not of it.\n\n«def f(a):\n    re|turn a»\n", "f", "function"),
    ("python", "x = 1  # Not of it.\n«def f(a):\n    re|turn a»\n", "f", "function"),
    ("python", "class A:\n    x = 1\n\n«    def f(self):\n        |pass»\n", "f", "method"),
    ("python", "class A:\n«    # Adds.\n    def f(self):\n        |pass»\n", "f", "method"),
    ("python", "«class A:\n    x = |1\n\n    def f(self):\n        pass»\n", "A", "class"),
    ("python", "def f():\n«    def g():\n        |pass»\n    return g\n", "g", "function"),
    ("python", "«def f():\n    return lambda a: |a»\n", "f", "function"),
    ("python", "«def| f():\n    pass»\n", "f", "function"),
    ("javascript", "«/** Adds. */\nexport function f(a) {\n  |\n}»\n", "f", "function"),
    ("javascript", "«const f = (a) => {\n  return |a;\n};»\n", "f", "function"),
    ("javascript", "«function f() {\n  g(() => |1);\n}»\n", "f", "function"),
    ("javascriptreact", "«const A = () => <p>|a</p>;»\n", "A", "function"),
    ("typescript", "class A {\n«  @b()\n  m(a: number) {\n    |\n  }»\n}\n", "m", "method"),
    ("typescript", "«export default class A {\n  b: num|ber;\n}»\n", "A", "class"),
    ("typescriptreact", "«function A(): JSX {\n  return <b>|</b>;\n}»\n", "A", "function"),
    ("java", "class A {\n«  /** Adds. */\n  @B\n  int f() {\n    |\n  }»\n}\n", "f", "method"),
    ("java", "«class A {\n    int |b;\n}»\n", "A", "class"),
    ("go", "package p\n\n«// F adds.\nfunc (s *S) F() {\n\t|\n}»\n", "F", "method"),
    ("go", "package p\n\n«type S struct {\n\ta |int\n}»\n", "S", "class"),
    ("rust", "«/// Adds.\n#[inline]\nfn f(a: i32) -> i32 {\n    |a\n}»\n", "f", "function"),
    ("rust", "impl A {\n«    fn f(&self) {\n        |\n    }»\n}\n", "f", "method"),
    ("rust", "«impl A {\n    const B: i32 = |1;\n}»\n", "A", "class"),
    ("c", "«/* Adds. */\nstatic int *f(int a) {\n  return |0;\n}»\n", "f", "function"),
    ("cpp", "«template <class T>\nint &A::m(T a) {\n  |\n}»\n", "A::m", "function"),
    ("cpp", "class A {\n«  void m() {\n    |\n  }»\n};\n", "m", "method"),
    ("csharp", "class A {\n«    [B]\n    int F() {\n        |\n    }»\n}\n", "F", "method"),
    ("ruby", "class A\n«  # Adds.\n  def f(a)\n    |a\n  end»\nend\n", "f", "method"),
    ("php", "<?php\n«/** Adds. */\nfunction f($a) {\n    return |$a;\n}»\n", "f", "function"),
    # Text rules.
    ("lua", "x = 1\n«function f(a)\n  return |a\nend»\nprint(f(1))\n", "f", "function"),
    ("kotlin", "class A {\n«  private fun f(a: Int) {\n    |b()\n  }»\n}\n", "f", "function"),
    ("kotlin", "«class A {\n  val b = |1\n}»\n", "A", "class"),
    ("lua", "«--- Adds.\n---@param a\nlocal function f(a)\n  return |a\nend»\n", "f", "function"),
    ("lua", "«--- Ad|ds.\nfunction M.f(a)\n  return a\nend»\n", "M.f", "function"),
    ("lua", "x = 1\n«M.f = function(a)\n  return |a\nend»\n", "M.f", "function"),
    ("lua", "«local function f(a) return |a end»\ng()\n", "f", "function"),
    ("kotlin", "«/** Adds. */\n@A\nfun <T> f(a: T): T {\n  return |a\n}»\n", "f", "function"),
    ("kotlin", "«fun f(\n  a: Int,\n): Int {\n  return |a\n}»\n", "f", "function"),
    ("kotlin", "val b = 1\n«fun f(a: Int) = |a + 1»\nval c = 2\n", "f", "function"),
    ("kotlin", "«data class A(val |b: Int)»\n", "A", "class"),
    ("nim", "x = 1\n\n«proc f(a: int) =\n  echo |a»\n\necho 1\n", "f", "function"),
    ("dart", "«class A\n{\n  |\n}»\n", "A", "class"),
]  # fmt: skip


@pytest.mark.parametrize(("language", "source", "name", "kind"), CASES)
def test_table(language: str, source: str, name: str, kind: str) -> None:
    expected = source[source.index("«") + 1 : source.index("»")].replace("|", "")
    snapshot, offset = place(language, source.replace("«", "").replace("»", ""))
    unit = unit_at(snapshot, offset)
    assert unit is not None
    assert (unit.name, unit.kind, unit.text) == (name, kind, expected)
    assert snapshot.text[unit.start : unit.end] == unit.text


@pytest.mark.parametrize(
    ("language", "source"),
    [
        ("python", "x = |1\n"),
        ("python", "|"),
        ("python", "def f():\n    pass\n\n\nx = |1\n"),
        ("javascript", "function f() {\n}\n|\n"),
        ("lua", "x = |1\n"),
        ("lua", "function f()\nend\nx = |1\n"),
        ("plaintext", "|"),
        ("plaintext", "a function of time|\n"),
    ],
)
def test_outside_of_everything_there_is_none(language: str, source: str) -> None:
    assert unit_at(*place(language, source)) is None


def test_offsets_are_in_characters_whatever_stands_before() -> None:
    text = "x = '😀é漢'\n\ndef f():\n    return '😀'\n"
    snapshot = open_document("file:///a", "python", 1, text).snapshot()
    unit = unit_at(snapshot, len(text) - 3)
    assert unit is not None
    assert unit.text == "def f():\n    return '😀'"

"""A summary becomes the documentation of its unit, as its language writes it."""

from __future__ import annotations

import ast

import pytest

from cato_lsp.syntax.units import unit_at
from cato_lsp.tasks.docstrings import documentation
from tests.fast.lsp.marked import place

LONG = "Adds two numbers. " + "It says so at some length, and then again. " * 3


def documented(language: str, marked: str, summary: str) -> str:
    """The source with the summary in its place."""
    snapshot, offset = place(language, marked)
    unit = unit_at(snapshot, offset)
    assert unit is not None
    found = documentation(snapshot, unit, summary)
    assert found is not None
    return snapshot.text[: found.start] + found.text + snapshot.text[found.end :]


@pytest.mark.parametrize(
    ("language", "marked", "before", "after"),
    [
        ("python", "def f(a):\n    return| a\n", "    return", '    """Adds."""\n'),
        ("python", "def f(\n    a,\n):\n\n    |return a\n", "    return", '    """Adds."""\n'),
        ("javascript", "  f|unction g() {\n  }\n", "  function", "  /**\n   * Adds.\n   */\n"),
        ("go", "package p\n\nfunc F() {\n\t|\n}\n", "func", "// Adds.\n"),
        ("rust", "#[inline]\nfn f() {\n    |\n}\n", "#[inline]", "/// Adds.\n"),
        ("ruby", "class A\n  def f\n    |1\n  end\nend\n", "  def", "  # Adds.\n"),
        ("csharp", "class A {\n  int F() {\n    return |1;\n  }\n}\n", "  int", "  /// Adds.\n"),
        ("lua", "local M = {}\n\nfunction M.f(a)\n  return |a\nend\n", "function", "--- Adds.\n"),
        (
            "kotlin",
            "class A {\n  fun f() {\n    |\n  }\n}\n",
            "  fun",
            "  /**\n   * Adds.\n   */\n",
        ),
        ("kotlin", "@A\nfun f() = |1\n", "@A", "/**\n * Adds.\n */\n"),
    ],
)
def test_each_language_has_its_place(language: str, marked: str, before: str, after: str) -> None:
    """The documentation, `after`, is inserted above the line that begins with `before`."""
    source = marked.replace("|", "")
    assert documented(language, marked, "Adds.") == source.replace(before, after + before, 1)


def test_an_old_docstring_is_replaced() -> None:
    head, rest = "class A:\n    @b\n    def f(self):\n        ", "\n        pass\n"
    marked = f'{head}"""Old.\n\n        x\n        """{rest.replace("pass", "|pass")}'
    assert documented("python", marked, "Adds.") == f'{head}"""Adds."""{rest}'


@pytest.mark.parametrize(
    ("language", "marked", "after"),
    [
        (
            "javascript",
            "/** Old. */\nfunction f() {\n  |\n}\n",
            "/**\n * Adds.\n */\nfunction f() {\n  \n}\n",
        ),
        (
            "typescript",
            "// kept\n/**\n * Old.\n */\nexport function f() {\n  |\n}\n",
            "// kept\n/**\n * Adds.\n */\nexport function f() {\n  \n}\n",
        ),
        (
            "javascript",
            "class A {\n  /** Old. */ f() {\n    |\n  }\n}\n",
            "class A {\n  /**\n   * Adds.\n   */\n  f() {\n    \n  }\n}\n",
        ),
        (
            "rust",
            "/// Old.\n///\n/// More.\n#[inline]\nfn f() {\n    |\n}\n",
            "/// Adds.\n#[inline]\nfn f() {\n    \n}\n",
        ),
        (
            "go",
            "package p\n\n// F is old.\n//go:noinline\nfunc F() {\n\t|\n}\n",
            "package p\n\n// Adds.\n//go:noinline\nfunc F() {\n\t\n}\n",
        ),
        (
            "ruby",
            "#!/usr/bin/env ruby\n# frozen_string_literal: true\n# Old.\ndef f\n  |1\nend\n",
            "#!/usr/bin/env ruby\n# frozen_string_literal: true\n# Adds.\ndef f\n  1\nend\n",
        ),
        (
            "ruby",
            "#!/usr/bin/env ruby\ndef f\n  |1\nend\n",
            "#!/usr/bin/env ruby\n# Adds.\ndef f\n  1\nend\n",
        ),
        (
            "lua",
            "--- Old.\n---@param a number\nlocal function f(a)\n  return |a\nend\n",
            "--- Adds.\nlocal function f(a)\n  return a\nend\n",
        ),
        (
            "lua",
            "-- kept\nlocal function f(a)\n  return |a\nend\n",
            "-- kept\n--- Adds.\nlocal function f(a)\n  return a\nend\n",
        ),
        (
            "lua",
            "------\n-- Sums\n------\nlocal function f(a)\n  return |a\nend\n",
            "------\n-- Sums\n------\n--- Adds.\nlocal function f(a)\n  return a\nend\n",
        ),
        (
            "lua",
            "--- Old.\n---@diagnostic disable-next-line: x\nfunction f()\n  return |1\nend\n",
            "--- Adds.\n---@diagnostic disable-next-line: x\nfunction f()\n  return 1\nend\n",
        ),
        (
            "lua",
            "---@diagnostic disable: x\n--- Old.\nfunction f()\n  return |1\nend\n",
            "---@diagnostic disable: x\n--- Adds.\nfunction f()\n  return 1\nend\n",
        ),
        (
            "kotlin",
            "/**\n * Old.\n */\n@Throws(E::class)\nfun f() {\n  |\n}\n",
            "/**\n * Adds.\n */\n@Throws(E::class)\nfun f() {\n  \n}\n",
        ),
        (
            "java",
            "class A {\n  /**\n   * Old.\n   */\n  @Override\n  int f() { retu|rn 1; }\n}\n",
            "class A {\n  /**\n   * Adds.\n   */\n  @Override\n  int f() { return 1; }\n}\n",
        ),
    ],
)
def test_an_old_comment_is_replaced(language: str, marked: str, after: str) -> None:
    assert documented(language, marked, "Adds.") == after


@pytest.mark.parametrize(
    ("language", "marked"),
    [
        ("php", "<?php function f() {\n  |return 1;\n}\n"),
        ("javascript", "a(); function b() {\n  |\n}\n"),
        ("javascriptreact", "const a = <p>\n  {xs.map(function row(x) {\n    |\n  })}\n</p>;\n"),
    ],
)
def test_code_before_the_unit_on_its_line_leaves_no_place(language: str, marked: str) -> None:
    snapshot, offset = place(language, marked)
    unit = unit_at(snapshot, offset)
    assert unit is not None
    assert documentation(snapshot, unit, "Adds.") is None


@pytest.mark.parametrize(
    "summary",
    [
        LONG,
        'It returns """nothing""" at C:\\new.',
        'It ends with a "quote"',
        f"It adds.\n\n- `a`: {LONG.strip()}\n- b",
    ],
)
def test_a_docstring_says_what_the_summary_says(summary: str) -> None:
    text = documented("python", "def f(a):\n    return| a\n", summary)
    function = ast.parse(text).body[0]
    assert isinstance(function, ast.FunctionDef)
    assert (ast.get_docstring(function) or "").split() == summary.split()
    assert all(len(line) <= 100 and line == line.rstrip() for line in text.splitlines())


def test_the_parameters_of_lua_are_annotations() -> None:
    summary = "Adds two numbers.\n\n@param a number\n@return number"
    text = documented("lua", "function f(a)\n  return |a\nend\n", summary)
    assert text.startswith("--- Adds two numbers.\n---\n--- @param a number\n--- @return number\n")


def test_a_comment_is_not_closed_by_its_text() -> None:
    assert documented("java", "class A {\n  int f() { retu|rn 1; }\n}\n", "a */ b").count("*/") == 1


@pytest.mark.parametrize(
    ("language", "marked"), [("python", "def f(a): return| a\n"), ("plaintext", "def f():\n  |x\n")]
)
def test_there_is_not_always_a_place(language: str, marked: str) -> None:
    snapshot, offset = place(language, marked)
    unit = unit_at(snapshot, offset)
    assert unit is None or documentation(snapshot, unit, "Adds.") is None

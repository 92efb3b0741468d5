"""The classes of tasks: what is asked of each problem, and when the answer is right."""

from __future__ import annotations

import ast
import re
from collections.abc import Awaitable, Callable
from difflib import SequenceMatcher
from types import MappingProxyType

from bench.quality import verdicts
from bench.quality.asking import Answer, Client
from bench.quality.problems import Function, Hole
from bench.quality.verdicts import Judged, Verdict
from cato_backend.wire.tasks import Diagnostic, TaskKind

OfFunction = Callable[[Client, Function], Awaitable[Judged]]
_RUN_TESTS = """
if __name__ == "__main__":
    import os

    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    import pytest

    raise SystemExit(pytest.main(["-q", "-p", "no:cacheprovider", __file__]))
"""
_MOST_SUGGESTIONS = 3
"""Of one function, each behind the one before."""


async def line(client: Client, hole: Hole) -> Judged:
    """Complete a line; right where it is the same, or where the tests of the whole hold.

    Without tests the note tells how similar it is, from 0 to 1.
    """
    text = await client.completion(hole.before, hole.after)
    if not text.strip():
        return Judged(Verdict.NONE)
    if text.rstrip() == hole.middle.rstrip():
        return Judged(Verdict.RIGHT, "the same")
    if not hole.test:
        similarity = SequenceMatcher(None, text, hole.middle, autojunk=False).ratio()
        return Judged(Verdict.WRONG, f"similarity {similarity:.2f}")
    return verdicts.python(hole.before + text + hole.after + hole.test)


async def body(client: Client, function: Function) -> Judged:
    """Complete a function behind its docstring; suggestions are accepted until the tests hold."""
    code = function.prompt
    judged = Judged(Verdict.NONE)
    for _ in range(_MOST_SUGGESTIONS):
        text = await client.completion(f"{code}    ", "\n")
        if not text.strip():
            break
        code += f"    {text}\n"
        judged = verdicts.python(f"{code}\n{function.test()}")
        if judged.verdict is Verdict.RIGHT:
            break
    return judged


async def summary(client: Client, function: Function) -> Judged:
    """Summarize the function without its docstring."""
    answer = await client.task(TaskKind.SUMMARIZATION, function.bare, function.name)
    return _unless_failed(answer) or verdicts.prose(
        answer.text, (function.name,), function.reference
    )


async def documentation(client: Client, function: Function) -> Judged:
    """Document it; its code stays what it was, and the tests still hold."""
    answer = await client.task(TaskKind.DOCUMENTATION, function.bare, function.name)
    if failed := _unless_failed(answer):
        return failed
    ran = verdicts.python(f"{answer.document}\n{function.test()}")
    if ran.verdict is not Verdict.RIGHT:
        return Judged(Verdict.BROKEN, "the code is no longer what it was")
    docstring = _docstring(answer.document, function.name)
    return verdicts.prose(docstring, (function.name,), function.reference)


def _docstring(text: str, name: str) -> str:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return ast.get_docstring(node) or ""
    return ""


async def tests(client: Client, function: Function) -> Judged:
    """Write tests; they hold of the function, and not of one that returns nothing."""
    answer = await client.task(TaskKind.TESTS, function.source, function.name)
    if failed := _unless_failed(answer):
        return failed
    written = re.sub(r"(?m)^(?:from maths import .*|import maths.*)$", "", answer.text)
    of_ours = verdicts.python(f"{function.source}\n{written}\n{_RUN_TESTS}")
    if of_ours.verdict is not Verdict.RIGHT:
        return of_ours
    empty = f"def {function.name}(*args, **kwargs):\n    return None\n"
    of_none = verdicts.python(f"{empty}\n{written}\n{_RUN_TESTS}")
    if of_none.verdict is Verdict.RIGHT:
        return Judged(Verdict.WRONG, "they also hold of a function that returns nothing")
    return of_ours


async def fix(client: Client, function: Function) -> Judged:
    """Correct a name that is not defined, of which a linter tells the line."""
    broken, diagnostic = _with_unknown_name(function)
    answer = await client.task(TaskKind.FIX, broken, function.name, diagnostic=diagnostic)
    if failed := _unless_failed(answer):
        return failed
    return verdicts.python(f"{answer.document}\n{function.test()}")


def _with_unknown_name(function: Function) -> tuple[str, Diagnostic]:
    """Return the function with the last use of an argument misspelt."""
    source = function.source
    tree = next(
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef) and node.name == function.name
    )
    arguments = {argument.arg for argument in tree.args.args}
    uses = [n for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id in arguments]
    use = max(uses, key=lambda name: (name.lineno, name.col_offset))
    lines = source.splitlines(keepends=True)
    at = lines[use.lineno - 1]
    end = use.col_offset + len(use.id)
    lines[use.lineno - 1] = f"{at[:end]}_{at[end:]}"
    return "".join(lines), Diagnostic(use.lineno, f"undefined name '{use.id}_'")


def translation(language: str, target: str) -> OfFunction:
    """Return the class of translations from Python; Java, Go and Rust are only compiled."""

    async def ask(client: Client, function: Function) -> Judged:
        kind, other = TaskKind.TRANSLATION, function.others[language]
        answer = await client.task(kind, function.bare, function.name, target=target)
        if not answer.text.strip():
            return Judged(Verdict.NONE, answer.problem)
        match language:
            case "js":
                name = re.search(r"const (\w+) =", str(other["declaration"]))
                names = (name[1] if name else function.name, function.name)
                return verdicts.javascript(answer.text, *names, function.test(language))
            case "cpp":
                test = function.test(language)
                return verdicts.cpp(answer.text, str(other["declaration"]), test)
            case "java":
                return verdicts.java(answer.text)
            case "go":
                return verdicts.go(answer.text)
            case _:
                return verdicts.rust(answer.text)

    return ask


def _unless_failed(answer: Answer) -> Judged | None:
    return Judged(Verdict.NONE, answer.problem) if answer.problem else None


OF_FUNCTIONS = MappingProxyType(
    {
        "body": body,
        "summary": summary,
        "documentation": documentation,
        "tests": tests,
        "fix": fix,
        "translation to JavaScript": translation("js", "javascript"),
        "translation to C++": translation("cpp", "cpp"),
        "translation to Java, compiled": translation("java", "java"),
        "translation to Go, compiled": translation("go", "go"),
        "translation to Rust, compiled": translation("rust", "rust"),
    }
)

"""The tasks and target languages that a person can ask for, and how long results are."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from cato_backend.wire.tasks import TaskKind
from cato_lsp.decisions.classify import summary_tokens, translated_tokens

_CODE_MOST = 2048
"""Tokens that a backend generates at most of code."""
_DOCUMENTATION, _EXPLANATION, _GENERATED = 80, 250, 150
"""Tokens, whatever the unit."""
_TESTS_LEAST, _TESTS_FACTOR = 150, 1.5


@dataclass(frozen=True, slots=True)
class Verb:
    """A task by the word that asks for it. `title`: what its result for `{name}` is called."""

    word: str
    kind: TaskKind
    title: str
    is_code: bool = False
    """Whether the result is code in the document's own language."""


VERBS = MappingProxyType(
    {
        verb.word: verb
        for verb in (
            Verb("summarize", TaskKind.SUMMARIZATION, "summary of {name}"),
            Verb("translate", TaskKind.TRANSLATION, "{name} in {target}"),
            Verb("document", TaskKind.DOCUMENTATION, "documentation of {name}"),
            Verb("explain", TaskKind.EXPLANATION, "explanation of {name}"),
            Verb("test", TaskKind.TESTS, "tests for {name}", is_code=True),
            Verb("fix", TaskKind.FIX, "fix of {name}", is_code=True),
            Verb("generate", TaskKind.GENERATION, "code for {name}", is_code=True),
        )
    }
)
BY_KIND = MappingProxyType({verb.kind: verb for verb in VERBS.values()})


def expected_tokens(
    kind: TaskKind,
    source_chars: int,
    chars_per_token: float,
    language: str,
    target_language: str | None,
) -> int:
    """Return how many tokens the answer to one unit probably has."""
    source_tokens = round(source_chars / max(chars_per_token, 0.1))
    match kind:
        case TaskKind.SUMMARIZATION:
            return summary_tokens(source_chars, chars_per_token)
        case TaskKind.TRANSLATION:
            target = target_language or ""
            return translated_tokens(source_chars, chars_per_token, language, target)
        case TaskKind.DOCUMENTATION:
            return _DOCUMENTATION
        case TaskKind.EXPLANATION:
            return _EXPLANATION
        case TaskKind.TESTS:
            return min(_CODE_MOST, max(_TESTS_LEAST, round(_TESTS_FACTOR * source_tokens)))
        case TaskKind.FIX:
            return min(_CODE_MOST, max(1, source_tokens))
        case TaskKind.GENERATION:
            return _GENERATED


TITLES = MappingProxyType(
    {
        "c": "C",
        "cpp": "C++",
        "csharp": "C#",
        "dart": "Dart",
        "elixir": "Elixir",
        "go": "Go",
        "haskell": "Haskell",
        "java": "Java",
        "javascript": "JavaScript",
        "javascriptreact": "JavaScript React",
        "julia": "Julia",
        "kotlin": "Kotlin",
        "lua": "Lua",
        "objective-c": "Objective-C",
        "perl": "Perl",
        "php": "PHP",
        "python": "Python",
        "r": "R",
        "ruby": "Ruby",
        "rust": "Rust",
        "scala": "Scala",
        "shellscript": "Shell Script",
        "swift": "Swift",
        "typescript": "TypeScript",
        "typescriptreact": "TypeScript React",
        "zig": "Zig",
    }
)
"""Their names for people."""
_OTHER_NAMES = MappingProxyType(
    {
        "bash": "shellscript",
        "cs": "csharp",
        "cxx": "cpp",
        "golang": "go",
        "js": "javascript",
        "jsx": "javascriptreact",
        "objc": "objective-c",
        "py": "python",
        "rb": "ruby",
        "rs": "rust",
        "sh": "shellscript",
        "ts": "typescript",
        "tsx": "typescriptreact",
    }
)
_BY_TITLE = {title.lower(): identifier for identifier, title in TITLES.items()}


class UnknownLanguage(ValueError):
    """The target language is not supported. The text names it and says what is expected."""


def target_language(name: str) -> str:
    """Return the LSP identifier that a person means by `name`, such as `C++`, `ts` or `go`.

    Raises UnknownLanguage.
    """
    lower = name.strip().lower()
    identifier = _BY_TITLE.get(lower) or _OTHER_NAMES.get(lower, lower)
    if identifier not in TITLES:
        expected = ", ".join(TITLES)
        raise UnknownLanguage(f"there is no translation to {name!r}: expected one of {expected}")
    return identifier

"""The languages that functions are translated to, by LSP identifier and by usual name."""

from __future__ import annotations

from types import MappingProxyType

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
    """Nothing is translated to this language. The text names it and says what is expected."""


def target_language(name: str) -> str:
    """Returns the LSP identifier that a person means by `name`, such as `C++`, `ts` or `go`.

    Raises UnknownLanguage.
    """
    lower = name.strip().lower()
    identifier = _BY_TITLE.get(lower) or _OTHER_NAMES.get(lower, lower)
    if identifier not in TITLES:
        expected = ", ".join(TITLES)
        raise UnknownLanguage(f"there is no translation to {name!r}: expected one of {expected}")
    return identifier

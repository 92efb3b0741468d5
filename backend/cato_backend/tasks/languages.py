"""What prompts need to know of languages: names for people, comment marks, docstring places."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True, slots=True)
class Language:
    """One language, by its LSP identifier.

    `block`: how a comment over several lines opens, is continued and closes; None where there is
    none.
    """

    id: str
    title: str
    line: str = "//"
    block: tuple[str, str, str] | None = ("/**\n", " * ", " */")
    extensions: tuple[str, ...] = ()


_LANGUAGES = (
    Language("python", "Python", "#", None, (".py", ".pyi")),
    Language("javascript", "JavaScript", extensions=(".js", ".mjs", ".cjs")),
    Language("javascriptreact", "JavaScript", extensions=(".jsx",)),
    Language("typescript", "TypeScript", extensions=(".ts", ".mts", ".cts")),
    Language("typescriptreact", "TypeScript", extensions=(".tsx",)),
    Language("java", "Java", extensions=(".java",)),
    Language("go", "Go", block=("/*\n", "", "*/"), extensions=(".go",)),
    Language("rust", "Rust", extensions=(".rs",)),
    Language("c", "C", extensions=(".c", ".h")),
    Language("cpp", "C++", extensions=(".cpp", ".cc", ".cxx", ".hpp", ".hh")),
    Language("csharp", "C#", extensions=(".cs",)),
    Language("ruby", "Ruby", "#", None, (".rb",)),
    Language("php", "PHP", extensions=(".php",)),
    Language("shellscript", "shell script", "#", None, (".sh", ".bash")),
    Language("lua", "Lua", "--", None, (".lua",)),
    Language("sql", "SQL", "--", None, (".sql",)),
    Language("yaml", "YAML", "#", None, (".yaml", ".yml")),
    Language("toml", "TOML", "#", None, (".toml",)),
    Language("kotlin", "Kotlin", extensions=(".kt", ".kts")),
    Language("swift", "Swift", extensions=(".swift",)),
    Language("scala", "Scala", extensions=(".scala",)),
)
_BY_ID = {language.id: language for language in _LANGUAGES}
_BY_EXTENSION = {end: language for language in _LANGUAGES for end in language.extensions}


def language_of(identifier: str) -> Language:
    """Return the language of an LSP identifier.

    One unknown is named by its identifier and commented as C is.
    """
    return _BY_ID.get(identifier, Language(identifier, identifier))


def line_comment(path: str) -> str:
    """Return how a comment begins in the file of this path; `#` for an unknown extension."""
    language = _BY_EXTENSION.get(PurePosixPath(path).suffix.lower())
    return language.line if language else "#"

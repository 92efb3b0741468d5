"""Source text in prompts: names and comments of languages, and the escape of special tokens.

User text that spells a special token must not be read as one. A space goes in before the marker's
last character: `<|fim_prefix|>` becomes `<|fim_prefix| >`. The text stays readable for people and
models, `<s>` and `<PRE>` stay valid HTML, and no tokenizer takes the result for the token.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import PurePosixPath

from cato_backend.tasks.families import FORMATS
from cato_backend.tasks.fim import FimFormat

_CONTROL = (
    "<|im_start|>",
    "<|im_end|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|start_of_role|>",
    "<|end_of_role|>",
    "<|begin_of_text|>",
    "<|eot_id|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|fim_pad|>",
    "<fim_pad>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<｜begin▁of▁sentence｜>",
    "<｜User｜>",
    "<｜Assistant｜>",
    "<[begin▁of▁sentence]>",
    "[INST]",
    "[/INST]",
    "<s>",
    "</s>",
    "<bos>",
    "<eos>",
    "<pad>",
    "<unk>",
)
"""Tokens of chat templates and tokenizers, beside those of the formats."""


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


def special_tokens() -> frozenset[str]:
    """Return every special token of every family that is known."""
    return frozenset(text for known in FORMATS for text in _tokens_of(known)) | set(_CONTROL)


def neutralized(text: str) -> str:
    """Return `text` with every special token of every known family broken up; idempotent."""
    return _PATTERN.sub(_broken_up, text)


def _tokens_of(known: FimFormat) -> Iterable[str]:
    texts = (*known.markers, *known.stop, known.repository_token, known.file_token)
    # SentencePiece reads " <PRE>" like "▁<PRE>", so the bare form is one as well.
    return (form for text in texts if text for form in (text, text.lstrip("▁")))


def _broken_up(match: re.Match[str]) -> str:
    return f"{match[0][:-1]} {match[0][-1]}"


def _alternatives(texts: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern of the texts, grouped so that most places in a text fail at once.

    The groups are made by the first two characters.
    """
    longest_first = sorted(texts, key=lambda text: (text[:2], -len(text)))
    groups = (
        f"{re.escape(head)}(?:{'|'.join(re.escape(text[2:]) for text in group)})"
        for head, group in groupby(longest_first, key=lambda text: text[:2])
    )
    return re.compile("|".join(groups))


_PATTERN = _alternatives(special_tokens())

"""Estimates that both sides share: the length of answers, and the size of models.

The lengths of translations were measured on HumanEval-X (THUDM/CodeGeeX; 164 functions, each in six
languages; tokens of cl100k_base). The logarithm of a translation's length scatters around the
estimate by 0.25 to 0.5, 0.41 on average.
"""

from __future__ import annotations

import re
from types import MappingProxyType

TRANSLATION_FRAME_TOKENS = 8
"""The code fence and its language."""
_UNKNOWN = 1.5

VERBOSITY = MappingProxyType(
    {
        "python": 1.0,
        "ruby": 1.0,
        "javascript": 1.34,
        "javascriptreact": 1.34,
        "typescript": 1.34,
        "typescriptreact": 1.34,
        "php": 1.34,
        "go": 1.54,
        "java": 1.75,
        "cpp": 1.8,
        "c": 1.8,
        "csharp": 2.1,
        "rust": 2.76,
    }
)
"""Tokens that the same function takes, in those of Python. Ruby, TypeScript, PHP and C are taken as
their nearest relative that was measured, C# as 1.2 times Java."""
_SIZE = re.compile(r"(?<![a-z0-9.])(?:(\d+)x)?(\d+(?:\.\d+)?)([mb])(?![a-z0-9])")
_UNITS = {"m": 1e6, "b": 1e9}


def translation_tokens(
    source_chars: int, chars_per_token: float, language: str, target_language: str
) -> int:
    """Output tokens of a translation between two LSP language identifiers."""
    source_tokens = source_chars / max(chars_per_token, 0.1)
    ratio = VERBOSITY.get(target_language, _UNKNOWN) / VERBOSITY.get(language, _UNKNOWN)
    return round(source_tokens * ratio) + TRANSLATION_FRAME_TOKENS


def parameters_named(name: str) -> int | None:
    """Return the number of parameters in a name such as `Qwen2.5-Coder-7B` or `Mixtral-8x7B`.

    None where it names none.
    """
    found = _SIZE.search(name.lower())
    if found is None:
        return None
    experts, count, unit = found.groups()
    return round(int(experts or 1) * float(count) * _UNITS[unit])

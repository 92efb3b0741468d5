"""How many tokens an answer probably has, from what the syntax around the cursor says.

The backend is told, so that it does not have to read a length out of a deadline. The figures for
completions are medians of real Python code, cut at random places and read as far as the language
server would (`python -m bench.output_estimates`); what is asked for tells much more of the length
than the sizes of other functions in the same file, which were tried.
"""

from __future__ import annotations

from cato_backend.wire.lengths import translation_tokens

LINE_TOKENS = 6
"""The rest of a statement, and the one or two tokens that tell its end."""
OPENED_BLOCK_TOKENS = 26
"""Behind the header of a loop or a condition."""
BLOCK_TOKENS = 50
"""The rest of a block that is being written."""
BODY_TOKENS = 52
"""A function's body, or what a comment asks for."""

_SUMMARY_BASE, _SUMMARY_SHARE, _SUMMARY_MOST = 40, 1 / 20, 160
"""Some sentences, more of them for a longer source."""
_TRANSLATION_MOST = 2048


def summary_tokens(source_chars: int, chars_per_token: float) -> int:
    """Of a summary of one unit."""
    source_tokens = source_chars / max(chars_per_token, 0.1)
    return min(_SUMMARY_MOST, round(_SUMMARY_BASE + _SUMMARY_SHARE * source_tokens))


def translated_tokens(
    source_chars: int, chars_per_token: float, language: str, target_language: str
) -> int:
    """Of one unit in another language, as far as a backend generates it."""
    expected = translation_tokens(source_chars, chars_per_token, language, target_language)
    return min(_TRANSLATION_MOST, expected)

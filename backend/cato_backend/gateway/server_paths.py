"""Reports for those who do not run the server: without the paths of the server."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

_PATH = re.compile(r"""(?<![\w/:.~-])~?/(?!/)[^\s"'`,;:()|]*""")
"""An absolute path, or one in the home folder. The path of a URL follows its host, or a slash."""
_HIDDEN = "(a path on the server)"
_TEXTS = frozenset({"message", "reason", "remedy", "text", "trouble", "why"})
"""Fields of a report that are sentences for people."""


def without_paths(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return a report with no path in its texts, however deep they are."""
    return {name: _shown(value, (name,)) for name, value in report.items()}


def _shown(value: object, place: tuple[str, ...]) -> object:
    """Return what is shown of a value; `place` holds the names that lead to it."""
    if isinstance(value, str):
        # A source of replicas is named by its file; a model's name is what requests must give.
        is_text = place[-1] in _TEXTS or place == ("sources", "name")
        return hide_paths(value) if is_text else value
    if isinstance(value, dict):
        fields = cast("dict[str, object]", value).items()
        return {name: _shown(each, (*place, name)) for name, each in fields}
    if isinstance(value, list):
        return [_shown(each, place) for each in cast("list[object]", value)]
    return value


def hide_paths(text: str) -> str:
    """Return the text with something in place of each path."""
    return _PATH.sub(_HIDDEN, text)

"""Lenient parsing of messages that deviate from LSP."""

from __future__ import annotations

from enum import Enum
from typing import Any, cast

import attrs
from cattrs import Converter
from lsprotocol import types

_WITHOUT_PARAMS = frozenset({types.SHUTDOWN, types.EXIT})


def with_params(data: dict[str, Any], kind: type[Any] | None) -> dict[str, Any]:
    """Return a message with the params that its kind needs.

    Some clients leave empty ones out, others send empty ones where there are none.
    """
    if "method" not in data:
        return data
    if data["method"] in _WITHOUT_PARAMS:
        return {name: value for name, value in data.items() if name != "params"}
    needed = kind is None or attrs.fields_dict(kind)["params"].default is attrs.NOTHING
    return {**data, "params": {}} if needed and data.get("params") is None else data


def reads_as_sent(converter: Converter) -> None:
    """Make the converter keep values that an enumeration does not know.

    Newer clients have more of them (`trace: "compact"`, kinds of symbols, tags). A string must be
    one: null is not taken for the text "None".
    """

    def read(value: object, kind: type[Enum]) -> object:
        try:
            return kind(value)
        except ValueError:
            return value

    def text(value: object, _: type[str]) -> str:
        # As it is, the converter would make the word "None" of null, and put it into the document.
        if not isinstance(value, str):
            raise ValueError("a string is needed")
        return value

    converter.register_structure_hook(str, text)
    converter.register_structure_hook_func(
        lambda kind: isinstance(kind, type) and issubclass(kind, Enum), read
    )


def usable_initialization(converter: Converter, params: object) -> dict[str, Any]:
    """Return those members of the params of `initialize` that can be read.

    This goes down to the capabilities of each part of the protocol.
    """
    given = cast("dict[str, Any]", params) if isinstance(params, dict) else {}
    read = _usable(converter, types.InitializeParams, given, {"capabilities": {}})
    capabilities = given.get("capabilities")
    if read.get("capabilities") or not isinstance(capabilities, dict):
        return read
    known = cast("dict[str, Any]", capabilities)
    usable = _usable(converter, types.ClientCapabilities, known, {})
    for part, value in known.items():
        if part not in usable and isinstance(value, dict):
            usable |= _usable_part(converter, part, cast("dict[str, Any]", value))
    return {**read, "capabilities": usable}


def _usable_part(converter: Converter, part: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return one part of the capabilities, with those members that can be read."""
    members = {
        name: value
        for name, value in given.items()
        if _is_readable(converter, types.ClientCapabilities, {part: {name: value}})
    }
    return {part: members}


def _usable(
    converter: Converter, kind: type[Any], given: dict[str, Any], needed: dict[str, Any]
) -> dict[str, Any]:
    members = {
        name: value
        for name, value in given.items()
        if _is_readable(converter, kind, {**needed, name: value})
    }
    return {**needed, **members}


def _is_readable(converter: Converter, kind: type[Any], value: dict[str, Any]) -> bool:
    try:
        converter.structure(value, kind)
    except Exception:  # noqa: BLE001 - whatever the converter makes of it
        return False
    return True


LARGEST = 2**31 - 1
"""The largest number that LSP knows; some clients end a range "at the end" beyond it."""
_NO_LANGUAGE = "plaintext"
_INVOKED = {"triggerKind": types.InlineCompletionTriggerKind.Invoked.value}


def mended(data: dict[str, Any]) -> dict[str, Any]:
    """Return a message that could not be read, with its params mended where possible.

    What can be mended are numbers beyond LSP's, a `range` of null, a missing version or language.
    """
    params = _mended(data.get("params"))
    if data.get("method") == types.TEXT_DOCUMENT_INLINE_COMPLETION and isinstance(params, dict):
        params = {"context": _INVOKED, **cast("dict[str, Any]", params)}
    return {**data, "params": params}


def uri_in(params: object) -> str | None:
    """Return the URI of the document that the params are about, if they hold one."""
    document = cast("dict[str, Any]", params).get("textDocument") if isinstance(params, dict) else 0
    uri = cast("dict[str, Any]", document).get("uri") if isinstance(document, dict) else None
    return uri if isinstance(uri, str) else None


def _mended(value: object) -> object:
    if isinstance(value, list):
        return [_mended(item) for item in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    given = cast("dict[str, Any]", value)
    members = {
        name: _within(member) if name in {"line", "character"} else _mended(member)
        for name, member in given.items()
        if name != "rangeLength" and not (name in {"range", "context"} and member is None)
    }
    if "uri" in members and ("version" in members or "text" in members):
        version, language = members.get("version"), members.get("languageId")
        members["version"] = version if _is_integer(version) else 0
        if "text" in members and not isinstance(language, str):
            members["languageId"] = _NO_LANGUAGE
    return members


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and abs(value) <= LARGEST


def _within(value: Any) -> Any:
    return min(max(int(value), 0), LARGEST) if isinstance(value, int | float) else value

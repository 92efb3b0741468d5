"""What clients send that is not quite LSP, read as far as it can be read."""

from __future__ import annotations

from enum import Enum
from typing import Any, cast

import attrs
from cattrs import Converter
from lsprotocol import types

_WITHOUT_PARAMS = frozenset({types.SHUTDOWN, types.EXIT})


def with_params(data: dict[str, Any], kind: type[Any] | None) -> dict[str, Any]:
    """A message with the params that its kind needs: some clients leave empty ones out, others send
    empty ones where there are none."""
    if "method" not in data:
        return data
    if data["method"] in _WITHOUT_PARAMS:
        return {name: value for name, value in data.items() if name != "params"}
    needed = kind is None or attrs.fields_dict(kind)["params"].default is attrs.NOTHING
    return {**data, "params": {}} if needed and data.get("params") is None else data


def reads_unknown_values(converter: Converter) -> None:
    """Makes the converter take values that an enumeration does not know as they are: newer clients
    have more of them (`trace: "compact"`, kinds of symbols, tags)."""

    def read(value: object, kind: type[Enum]) -> object:
        try:
            return kind(value)
        except ValueError:
            return value

    converter.register_structure_hook_func(
        lambda kind: isinstance(kind, type) and issubclass(kind, Enum), read
    )


def usable_initialization(converter: Converter, params: object) -> dict[str, Any]:
    """Those members of the params of `initialize` that can be read, down to the capabilities of
    each part of the protocol."""
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
    """One part of the capabilities, with those members that can be read."""
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

"""The methods of CATO's own protocol: their names, and their params as typed as LSP's."""

from __future__ import annotations

from typing import Any, cast

import attrs
from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, override
from lsprotocol import types
from pygls.protocol import default_converter

SUMMARIZE = "cato/summarize"
TRANSLATE = "cato/translate"
STATUS = "cato/status"
RESTART_BACKEND = "cato/restartBackend"
DID_CHANGE_STATUS = "cato/didChangeStatus"

COMMAND_ACCEPTED = "cato.server.accepted"
COMMAND_SUMMARIZE = "cato.server.summarize"
COMMAND_TRANSLATE = "cato.server.translate"
COMMANDS = (COMMAND_ACCEPTED, COMMAND_SUMMARIZE, COMMAND_TRANSLATE)

Token = int | str


@attrs.frozen
class UnitParams:
    """Names the unit that a task is about: the one around `position`."""

    text_document: types.TextDocumentIdentifier
    position: types.Position
    work_done_token: Token | None = None
    partial_result_token: Token | None = None
    target_language: str | None = None


@attrs.frozen
class TranslateParams(UnitParams):
    """As UnitParams, with a language to translate to."""

    target_language: str = attrs.field(kw_only=True)


@attrs.define
class UnitRequest:
    """`cato/summarize`."""

    id: Token
    params: UnitParams
    method: str = SUMMARIZE
    jsonrpc: str = "2.0"


@attrs.define
class TranslateRequest:
    """`cato/translate`."""

    id: Token
    params: TranslateParams
    method: str = TRANSLATE
    jsonrpc: str = "2.0"


MESSAGES: dict[str, type[Any]] = {SUMMARIZE: UnitRequest, TRANSLATE: TranslateRequest}


def converter() -> Converter:
    """pygls' converter, taught the params above."""
    made = cast("Converter", default_converter())  # type: ignore[no-untyped-call]
    for params in (UnitParams, TranslateParams):
        made.register_structure_hook(
            params,
            make_dict_structure_fn(
                params,
                made,
                text_document=override(rename="textDocument"),
                work_done_token=override(rename="workDoneToken"),
                partial_result_token=override(rename="partialResultToken"),
                target_language=override(rename="targetLanguage"),
            ),
        )
    return made

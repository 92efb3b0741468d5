"""The methods of CATO's own protocol: their names, and their params as typed as LSP's."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, cast

import attrs
from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, override
from lsprotocol import types
from pygls.protocol import default_converter

from cato_lsp.protocol.lenient import reads_as_sent

SUMMARIZE = "cato/summarize"
TRANSLATE = "cato/translate"
STATUS = "cato/status"
RESTART_BACKEND = "cato/restartBackend"
SIGN_IN = "cato/signIn"
FINISH_SIGN_IN = "cato/finishSignIn"
DID_CHANGE_STATUS = "cato/didChangeStatus"

DID_SHOW = "textDocument/didShowCompletion"
DID_PARTIALLY_ACCEPT = "textDocument/didPartiallyAcceptCompletion"
DID_FOCUS = "textDocument/didFocus"
"""These three are named as in GitHub Copilot's language server."""

COMMAND_ACCEPTED = "cato.server.accepted"
TASK_COMMANDS = MappingProxyType(
    {
        f"cato.server.{verb}": verb
        for verb in ("summarize", "translate", "document", "explain", "test", "fix", "generate")
    }
)
"""The commands of whole tasks, and their verbs."""
COMMANDS = (COMMAND_ACCEPTED, *TASK_COMMANDS)

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
class CommandParams(types.ExecuteCommandParams):
    """As LSP's, with a token for the pieces of a task's result."""

    partial_result_token: Token | None = attrs.field(default=None, kw_only=True)


@attrs.define
class CommandRequest:
    """`workspace/executeCommand`."""

    id: Token
    params: CommandParams
    method: str = types.WORKSPACE_EXECUTE_COMMAND
    jsonrpc: str = "2.0"


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


@attrs.frozen
class FinishSignInParams:
    """Whether the server keeps the token, for all editors of this user; else the client gets it."""

    keep: bool = True


@attrs.define
class FinishSignInRequest:
    """`cato/finishSignIn`."""

    id: Token
    params: FinishSignInParams
    method: str = FINISH_SIGN_IN
    jsonrpc: str = "2.0"


@attrs.frozen
class DidShowParams:
    """The item as it was answered."""

    item: types.InlineCompletionItem


@attrs.frozen
class DidPartiallyAcceptParams:
    """The item, and how much of it was accepted, in UTF-16 units."""

    item: types.InlineCompletionItem
    accepted_length: int


@attrs.frozen
class DidFocusParams:
    """The document that the person turned to, and the cursor in it."""

    text_document: types.TextDocumentIdentifier
    position: types.Position | None = None


@attrs.define
class DidShowNotification:
    """`textDocument/didShowCompletion`."""

    params: DidShowParams
    method: str = DID_SHOW
    jsonrpc: str = "2.0"


@attrs.define
class DidPartiallyAcceptNotification:
    """`textDocument/didPartiallyAcceptCompletion`."""

    params: DidPartiallyAcceptParams
    method: str = DID_PARTIALLY_ACCEPT
    jsonrpc: str = "2.0"


@attrs.define
class DidFocusNotification:
    """`textDocument/didFocus`."""

    params: DidFocusParams
    method: str = DID_FOCUS
    jsonrpc: str = "2.0"


MESSAGES: dict[str, type[Any]] = {
    SUMMARIZE: UnitRequest,
    TRANSLATE: TranslateRequest,
    FINISH_SIGN_IN: FinishSignInRequest,
    types.WORKSPACE_EXECUTE_COMMAND: CommandRequest,
    DID_SHOW: DidShowNotification,
    DID_PARTIALLY_ACCEPT: DidPartiallyAcceptNotification,
    DID_FOCUS: DidFocusNotification,
}


_UNIT_FIELDS = {
    "text_document": "textDocument",
    "work_done_token": "workDoneToken",
    "partial_result_token": "partialResultToken",
    "target_language": "targetLanguage",
}


def converter() -> Converter:
    """Return pygls' converter, taught the params above."""
    made = cast("Converter", default_converter())  # type: ignore[no-untyped-call]
    reads_as_sent(made)
    renamed = {
        UnitParams: _UNIT_FIELDS,
        TranslateParams: _UNIT_FIELDS,
        CommandParams: {
            "work_done_token": "workDoneToken",
            "partial_result_token": "partialResultToken",
        },
        DidPartiallyAcceptParams: {"accepted_length": "acceptedLength"},
        DidFocusParams: {"text_document": "textDocument"},
    }
    for params, fields in renamed.items():
        overrides = {name: override(rename=spelt) for name, spelt in fields.items()}
        hook: Any = make_dict_structure_fn(params, made, **cast("Any", overrides))
        made.register_structure_hook(params, hook)
    return made

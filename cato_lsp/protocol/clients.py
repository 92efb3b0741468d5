"""The client: its capabilities, its debounce, whether its process lives, and its token."""

from __future__ import annotations

import asyncio
import hmac
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from lsprotocol import types

from cato_backend.wire.addresses import is_loopback
from cato_backend.wire.discovery import is_zombie
from cato_backend.wire.state_files import complaint
from cato_lsp.protocol.methods import COMMANDS

PROCESS_CHECK_S = 2.0

_DELAYS_MS = {"visual studio code": 50.0, "code - oss": 50.0, "vscodium": 50.0, "neovim": 200.0}
"""VS Code waits as long after a key as its requests take, at most this; Neovim always."""

VARIABLE = "CATO_LSP_TOKEN"


def knows_inline_completion(client: types.ClientCapabilities) -> bool:
    """Return whether the client can show ghost text by itself."""
    return client.text_document is not None and client.text_document.inline_completion is not None


def registers_inline_completion(client: types.ClientCapabilities) -> bool:
    """Return whether the client lets inline completion come and go with the backend."""
    document = client.text_document
    inline = document.inline_completion if document is not None else None
    return inline is not None and bool(inline.dynamic_registration)


def answers_configuration(client: types.ClientCapabilities) -> bool:
    """Return whether the client answers `workspace/configuration`."""
    return client.workspace is not None and bool(client.workspace.configuration)


def watches_configuration(client: types.ClientCapabilities) -> bool:
    """Return whether the client tells of changed configuration once it is asked to."""
    workspace = client.workspace
    watch = workspace.did_change_configuration if workspace is not None else None
    return watch is not None and bool(watch.dynamic_registration)


def shows_progress(client: types.ClientCapabilities) -> bool:
    """Return whether the client shows progress that the server begins."""
    return client.window is not None and bool(client.window.work_done_progress)


def refreshes_code_lenses(client: types.ClientCapabilities) -> bool:
    """Return whether the client asks for code lenses again when it is told to."""
    workspace = client.workspace
    lenses = workspace.code_lens if workspace is not None else None
    return lenses is not None and bool(lenses.refresh_support)


def applies_edits(client: types.ClientCapabilities) -> bool:
    """Return whether the server may ask the client to edit one version of a document."""
    workspace = client.workspace
    edit = workspace.workspace_edit if workspace is not None else None
    versioned = edit is not None and bool(edit.document_changes)
    return workspace is not None and bool(workspace.apply_edit) and versioned


def confirms_edits(client: types.ClientCapabilities) -> bool:
    """Return whether the client can show edits before it applies them."""
    workspace = client.workspace
    edit = workspace.workspace_edit if workspace is not None else None
    return edit is not None and edit.change_annotation_support is not None


def insert_mode(client: types.ClientCapabilities) -> types.InsertTextMode | None:
    """Return how a client that can be told inserts an entry of the menu.

    The entry is inserted as it is: its lines have the indentation that they need.
    """
    document = client.text_document
    completion = document.completion if document is not None else None
    item = completion.completion_item if completion is not None else None
    modes = item.insert_text_mode_support if item is not None else None
    known = modes is not None and types.InsertTextMode.AsIs in modes.value_set
    return types.InsertTextMode.AsIs if known else None


def declare(server: types.ServerCapabilities, client: types.ClientCapabilities) -> None:
    """Set in `server` what depends on the client.

    Inline completion is declared only where it cannot be registered later; the completion menu is
    used only where there is no ghost text, lest both show the same suggestion.
    """
    server.completion_provider = None
    if not knows_inline_completion(client):
        server.completion_provider = types.CompletionOptions()
    elif not registers_inline_completion(client):
        server.inline_completion_provider = types.InlineCompletionOptions()
    if isinstance(server.text_document_sync, types.TextDocumentSyncOptions):
        # What was saved is the whole text: see `Documents.save`.
        server.text_document_sync.save = types.SaveOptions(include_text=True)
    server.code_action_provider = types.CodeActionOptions(
        code_action_kinds=[
            types.CodeActionKind.QuickFix,
            types.CodeActionKind.RefactorRewrite,
            types.CodeActionKind.Source,
        ]
    )
    # The answer is empty until the setting is switched on, which may happen at any time.
    server.code_lens_provider = types.CodeLensOptions()
    server.execute_command_provider = types.ExecuteCommandOptions(commands=list(COMMANDS))


def is_alive(process_id: int) -> bool:
    """Return whether there is such a process.

    It is False if that cannot be told: a client that runs on another host, or in another container,
    names a process that is not here.
    """
    if sys.platform == "win32" or process_id <= 0:
        # `os.kill` would end it there; the end of standard input says the same.
        return False
    try:
        os.kill(process_id, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return not is_zombie(process_id)


async def watch_process(process_id: int, gone: asyncio.Event) -> None:
    """Set `gone` once the process has ended."""
    while is_alive(process_id):  # noqa: ASYNC110 - nothing tells when another's child ends
        await asyncio.sleep(PROCESS_CHECK_S)
    gone.set()


def editor_delay_ms(name: str) -> float:
    """Return how long the editor waits after a key before it asks for ghost text; 0 if unknown."""
    return next((ms for known, ms in _DELAYS_MS.items() if name.lower().startswith(known)), 0.0)


class UnsafeListener(ValueError):
    """The server would accept connections of other machines without a token."""


def listener_token(host: str, token_file: Path | None) -> str | None:
    """Return the token that clients must know, or None. Raises UnsafeListener, OSError."""
    if token_file and (found := complaint(token_file)):
        raise UnsafeListener(found)
    given = token_file.read_text(encoding="utf-8") if token_file else os.environ.get(VARIABLE, "")
    token = given.strip() or None
    if token is None and token_file is not None:
        raise UnsafeListener(f"{token_file} is empty: it must hold a token")
    if token is None and not is_loopback(host):
        raise UnsafeListener(
            f"others can connect to {host}: give --token-file or {VARIABLE}, or listen on 127.0.0.1"
        )
    return token


def knows(token: str, message: Mapping[str, Any]) -> bool:
    """Return whether a client's first message is an `initialize` that holds the token.

    It is looked for as `initializationOptions.server.token`.
    """
    value: object = message if message.get("method") == "initialize" else None
    for name in ("params", "initializationOptions", "server", "token"):
        value = cast("Mapping[str, object]", value).get(name) if isinstance(value, dict) else None
    return isinstance(value, str) and hmac.compare_digest(value.encode(), token.encode())


def bearer(token: str, header: str | None) -> bool:
    """Return whether an `Authorization` header holds the token."""
    return header is not None and hmac.compare_digest(header.encode(), f"Bearer {token}".encode())

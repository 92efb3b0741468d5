"""An editor's side of the protocol, in front of a real `cato-lsp` process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.protocol import default_converter
from pytest_lsp import LanguageClient, client_capabilities
from pytest_lsp.client import DEFAULT_CLIENT_FEATURES, register_lsp_features

DOCUMENT = "file:///work/sample.py"


class Editor(LanguageClient):
    """Records what the server sends; waits for it, never for a time."""

    def __init__(self, *, configuration: dict[str, Any] | None = None) -> None:
        super().__init__(
            converter_factory=default_converter, configuration={"": configuration or {}}
        )
        self.statuses: list[dict[str, Any]] = []
        self.registered: set[str] = set()
        self.progress: list[tuple[Any, Any]] = []
        self.errors: list[str] = []
        self._news = asyncio.Condition()
        self._telling: set[asyncio.Task[None]] = set()
        self._listen()

    async def until(self, holds: Callable[[Editor], Any], timeout_s: float = 15.0) -> Any:
        """Returns what `holds` does, once it is true."""
        async with asyncio.timeout(timeout_s), self._news:
            return await self._news.wait_for(lambda: holds(self))

    async def ready(self) -> None:
        """Returns once the server has a backend."""
        await self.until(lambda editor: editor.state == "ready")

    @property
    def state(self) -> str | None:
        """The state of the latest status."""
        return self.statuses[-1]["state"] if self.statuses else None

    def open(self, text: str, uri: str = DOCUMENT, language_id: str = "python") -> None:
        """Opens a document at version 1."""
        item = types.TextDocumentItem(uri, language_id, 1, text)
        self.text_document_did_open(types.DidOpenTextDocumentParams(item))

    def type(self, text: str, line: int, character: int, version: int, uri: str = DOCUMENT) -> None:
        """Inserts `text` at a place."""
        here = types.Position(line, character)
        change = types.TextDocumentContentChangePartial(types.Range(here, here), text)
        identifier = types.VersionedTextDocumentIdentifier(version, uri)
        self.text_document_did_change(types.DidChangeTextDocumentParams(identifier, [change]))

    def inline(
        self,
        line: int,
        character: int,
        uri: str = DOCUMENT,
        *,
        automatic: bool = False,
        message_id: str | None = None,
    ) -> asyncio.Future[types.InlineCompletionList | None]:
        """Asks for ghost text."""
        kinds = types.InlineCompletionTriggerKind
        params = types.InlineCompletionParams(
            context=types.InlineCompletionContext(kinds.Automatic if automatic else kinds.Invoked),
            text_document=types.TextDocumentIdentifier(uri),
            position=types.Position(line, character),
        )
        future = self.protocol.send_request(
            types.TEXT_DOCUMENT_INLINE_COMPLETION, params, msg_id=message_id
        )
        return asyncio.wrap_future(future)

    def report_server_error(self, error: Exception, source: Any) -> None:
        """An error reply fails the request that waits for it, and nothing else."""
        self.errors.append(f"{source.__name__}: {error}")

    def _listen(self) -> None:
        own = {
            "cato/didChangeStatus": self._on_status,
            types.PROGRESS: self._on_progress,
            types.CLIENT_REGISTER_CAPABILITY: self._on_register,
            types.CLIENT_UNREGISTER_CAPABILITY: self._on_unregister,
        }
        register_lsp_features(
            self, {k: v for k, v in DEFAULT_CLIENT_FEATURES.items() if k not in own}
        )
        for method, handler in own.items():
            # pygls sets attributes on what it registers, which a bound method does not allow.
            self.feature(method)(partial(handler))

    def _on_status(self, params: Any) -> None:
        self.statuses.append(params._asdict())
        self._tell()

    def _on_progress(self, params: types.ProgressParams) -> None:
        self.progress.append((params.token, params.value))
        self._tell()

    def _on_register(self, params: types.RegistrationParams) -> None:
        self.registered |= {registration.method for registration in params.registrations}
        self._tell()

    def _on_unregister(self, params: types.UnregistrationParams) -> None:
        self.registered -= {gone.method for gone in params.unregisterations}
        self._tell()

    def _tell(self) -> None:
        async def tell() -> None:
            async with self._news:
                self._news.notify_all()

        task = asyncio.ensure_future(tell())
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)


def capabilities(client: str) -> types.ClientCapabilities:
    """Those of `vscode`, `neovim` or `minimal`, brought up to LSP 3.18."""
    if client == "minimal":
        return types.ClientCapabilities()
    name = {"vscode": "visual-studio-code", "neovim": "neovim"}[client]
    offered = client_capabilities(name)
    assert offered.text_document is not None
    offered.text_document.inline_completion = types.InlineCompletionClientCapabilities(
        dynamic_registration=client == "vscode"
    )
    return offered


def environment(state_dir: Path, **variables: str) -> dict[str, str]:
    """This process's environment with a state folder of its own and no backend to be found."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CATO_")}
    return {
        **inherited,
        "CATO_STATE_DIR": str(state_dir),
        "CATO_CACHE_DIR": str(state_dir / "cache"),
        "CATO_BACKEND_AUTOSTART": "0",
        **variables,
    }

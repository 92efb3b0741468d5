"""An editor's side of the protocol, in front of a real `cato-lsp` process."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from functools import partial
from typing import Any

from lsprotocol import types
from pygls.protocol import default_converter
from pytest_lsp import LanguageClient, client_capabilities
from pytest_lsp.client import DEFAULT_CLIENT_FEATURES, register_lsp_features
from pytest_lsp.protocol import LanguageClientProtocol

DOCUMENT = "file:///project/sample.py"


class CountingProtocol(LanguageClientProtocol):
    """Counts the answers to each request: pygls forgets a request once it is answered."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.answers: Counter[int | str] = Counter()
        self.refusals: dict[int | str, types.ResponseError] = {}

    def _handle_response(
        self, msg_id: int | str, result: Any = None, error: types.ResponseError | None = None
    ) -> None:
        self.answers[msg_id] += 1
        if error is not None:
            self.refusals[msg_id] = error
        super()._handle_response(msg_id, result, error)


class Editor(LanguageClient):
    """Records what the server sends, and waits for it; never for a time."""

    protocol: CountingProtocol

    def __init__(self, configuration: dict[str, Any] | None = None) -> None:
        super().__init__(
            converter_factory=default_converter,
            protocol_cls=CountingProtocol,
            configuration={"": {"cato": configuration or {}}},
        )
        self.statuses: list[dict[str, Any]] = []
        self.registered: set[str] = set()
        self.progress_values: list[tuple[int | str, Any]] = []
        self._news = asyncio.Condition()
        self._telling: set[asyncio.Task[None]] = set()
        self._listen()

    @property
    def state(self) -> str | None:
        """The state of the latest status."""
        return self.statuses[-1]["state"] if self.statuses else None

    @property
    def process(self) -> asyncio.subprocess.Process | None:
        """The server's process, where the editor started it."""
        return self._server

    @property
    def offers_inline_completion(self) -> bool:
        """Whether it is registered now."""
        return types.TEXT_DOCUMENT_INLINE_COMPLETION in self.registered

    async def until(self, holds: Callable[[Editor], Any], timeout_s: float = 20.0) -> None:
        """Returns once `holds(editor)`. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s), self._news:
            await self._news.wait_for(lambda: holds(self))

    async def ready(self) -> None:
        """Returns once the server has a backend."""
        await self.until(lambda editor: editor.state == "ready")

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

    def close(self, uri: str = DOCUMENT) -> None:
        """Closes a document."""
        identifier = types.TextDocumentIdentifier(uri)
        self.text_document_did_close(types.DidCloseTextDocumentParams(identifier))

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
        return self.ask(types.TEXT_DOCUMENT_INLINE_COMPLETION, params, message_id)

    def ask(
        self, method: str, params: Any = None, message_id: str | None = None
    ) -> asyncio.Future[Any]:
        """Sends a request."""
        future = self.protocol.send_request(method, params, msg_id=message_id)
        return asyncio.wrap_future(future)

    async def status(self) -> dict[str, Any]:
        """Asks for the status."""
        return plain(await self.ask("cato/status"))

    def cancel(self, message_id: str) -> None:
        """Takes a request back."""
        self.cancel_request(types.CancelParams(message_id))

    def send_together(self, *messages: dict[str, Any]) -> None:
        """Writes several messages as one packet."""
        bodies = [json.dumps({"jsonrpc": "2.0", **message}).encode() for message in messages]
        packet = b"".join(b"Content-Length: %d\r\n\r\n%b" % (len(b), b) for b in bodies)
        self.send_raw(packet)

    def expect(self, message_id: str, kind: Any = None) -> asyncio.Future[Any]:
        """The answer to a request that is written by hand; `kind` is its response's class."""
        future: Future[Any] = Future()
        self.protocol._request_futures[message_id] = future
        self.protocol._result_types[message_id] = kind
        return asyncio.wrap_future(future)

    def send_raw(self, data: bytes) -> None:
        """Writes bytes as they are."""
        written: Any = self.protocol.writer.write(data)  # type: ignore[union-attr]
        if isinstance(written, Coroutine):
            self._keep(asyncio.ensure_future(written))

    def report_server_error(self, error: Exception, source: Any) -> None:
        """An error reply fails the request that waits for it, and nothing else."""

    def _listen(self) -> None:
        own: dict[str, Callable[[Any], None]] = {
            "cato/didChangeStatus": lambda params: self.statuses.append(plain(params)),
            types.PROGRESS: lambda params: self.progress_values.append(
                (params.token, params.value)
            ),
            types.CLIENT_REGISTER_CAPABILITY: self._on_register,
            types.CLIENT_UNREGISTER_CAPABILITY: self._on_unregister,
            types.WINDOW_SHOW_MESSAGE: self.messages.append,
            types.WINDOW_LOG_MESSAGE: self.log_messages.append,
        }
        others = {k: v for k, v in DEFAULT_CLIENT_FEATURES.items() if k not in own}
        register_lsp_features(self, others)
        for method, handler in own.items():
            self.feature(method)(partial(self._take, handler))

    def _take(self, handler: Callable[[Any], None], params: Any) -> None:
        handler(params)

        async def tell() -> None:
            async with self._news:
                self._news.notify_all()

        self._keep(asyncio.ensure_future(tell()))

    def _keep(self, task: asyncio.Future[Any]) -> None:
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    def _on_register(self, params: types.RegistrationParams) -> None:
        self.registered |= {registration.method for registration in params.registrations}

    def _on_unregister(self, params: types.UnregistrationParams) -> None:
        self.registered -= {gone.method for gone in params.unregisterations}


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


def plain(value: Any) -> dict[str, Any]:
    """A result of a method that pygls does not know, as a dict."""
    return value._asdict() if hasattr(value, "_asdict") else value


def text_of(answer: types.InlineCompletionList | None) -> str | None:
    """The ghost text in an answer."""
    if answer is None:
        return None
    (item,) = answer.items
    assert isinstance(item.insert_text, str)
    return item.insert_text

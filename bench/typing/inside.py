"""`cato-lsp`'s completion service in this process, asked as an editor asks it."""

from __future__ import annotations

import asyncio
import time
from typing import Any, cast

from lsprotocol import types

from bench.typing.account import Account, Shown, ideal, model_tokens
from bench.typing.editors import Habits
from bench.typing.replicas import Replica, Reply
from bench.typing.screen import Screen
from bench.typing.scripts import Script
from cato_lsp.backend.calls import Call
from cato_lsp.backend.client import BackendClient
from cato_lsp.backend.link import Connection
from cato_lsp.backend.models import Model
from cato_lsp.backend.streams import EventStream
from cato_lsp.decisions.classify import Action, worth_asking
from cato_lsp.protocol.clients import editor_delay_ms
from cato_lsp.session.session import Session
from cato_lsp.suggestions.questions import Question, Suggestion
from cato_lsp.suggestions.service import completion_service
from cato_lsp.syntax import syntax_context
from cato_lsp.text import Encoding

MODEL = Model("Qwen2.5-Coder-emulated", fills_in_the_middle=True, cancels=True)


class _Client:
    """A backend that is a replica of this process."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    def open(self, call: Call, *, cancels: bool) -> EventStream:
        """As `BackendClient.open`."""
        assert cancels
        reply: Reply = self._replica.answer(call.body)
        return cast(EventStream, reply)

    async def close(self) -> None:
        """As `BackendClient.close`."""


class InsideEditor:
    """One editor with one document, and the service that suggests in it."""

    def __init__(
        self,
        habits: Habits,
        script: Script,
        screen: Screen,
        replica: Replica,
        settings: dict[str, Any],
        account: Account,
    ) -> None:
        """`settings`: of `completion`, those that are not the defaults."""
        self._habits, self._screen, self._settings = habits, screen, settings
        self._session = Session(lambda status: None, None, warn=print)
        client = cast(BackendClient, _Client(replica))
        self._session.link.connection = Connection(client, MODEL, round_trip_ms=2.0)
        self._service = completion_service(self._session)
        self._uri = f"file:///typing/{script.name}"
        item = types.TextDocumentItem(self._uri, script.language, 1, script.before + script.after)
        self._item = item
        self._replica = replica
        self._truth = script.truth
        self._account = account
        screen.looked = self._looked
        self._asking: asyncio.Task[None] | None = None
        self._shown: Suggestion | None = None
        self._version = 1

    async def start(self, _host: str, _port: int) -> None:
        """The document is opened."""
        settings = {"completion": self._settings, "feedback": {"store": False, "send": False}}
        self._session.configure(settings)
        self._session.editor_delay_ms = editor_delay_ms(self._habits.name)
        self._session.open_document(self._item)

    def key(self, text: str, offset: int) -> None:
        """`text` was typed at `offset`."""
        self._version += 1
        snapshot = self._session.documents.snapshot(self._uri)
        assert snapshot is not None
        at = snapshot.position(offset, Encoding.UTF16)
        here = types.Position(at.line, at.character)
        self._session.change_document(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(self._version, self._uri),
                [types.TextDocumentContentChangePartial(types.Range(here, here), text)],
            )
        )
        if self._asking is not None and self._habits.cancels:
            self._asking.cancel()
        self._asking = asyncio.create_task(self._ask(offset + len(text)))

    def accept(self, text: str, offset: int) -> None:
        """The suggestion on the screen was accepted: it is inserted, and the server is told."""
        self.key(text, offset)
        if self._shown is not None:
            self._service.accepted(self._shown.request_id)

    async def stop(self) -> None:
        """Ends."""
        await self._session.close()

    async def _ask(self, offset: int) -> None:
        await asyncio.sleep(self._habits.delay_s)
        snapshot = self._session.documents.snapshot(self._uri)
        assert snapshot is not None
        question = Question(snapshot, offset, Action.AUTOMATIC_COMPLETION, time.perf_counter())
        found = await self._service.suggest(question)
        self._shown = found[0] if found else None
        if found or self._habits.cancels:
            self._screen.show(found[0].text if found else "", offset)

    def _looked(self, ghost: str) -> None:
        """Accounts for what is on the screen, and what is not."""
        snapshot = self._session.documents.snapshot(self._uri)
        assert snapshot is not None
        offset = self._screen.offset
        question = Question(snapshot, offset, Action.AUTOMATIC_COMPLETION, time.perf_counter())
        context = syntax_context(snapshot, offset)
        asked = self._service.understood(question, context)
        said = self._replica.said(snapshot.text[:offset], snapshot.text[offset:])
        place = ideal(self._truth[offset:], [*model_tokens(said, self._replica.tokenizer)], asked)
        source = self._shown.source if self._shown is not None else None
        asking = self._asking is not None and not self._asking.done()
        worth = worth_asking(question.action, context)
        self._account.look(place, Shown(ghost, source, asking, worth))

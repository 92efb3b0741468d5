"""Random edits, requests and cancellations through a real `cato-lsp` that several editors share.

What the server believes to stand in a document shows in the prompts that it sends. Nothing may be
out of sync, unanswered or answered with an error. `CATO_FUZZ_LSP_EDITS` makes it longer.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable

import pytest
from lsprotocol import types

from cato_lab.emulator import Emulator
from cato_lsp.text import Change, Encoding, Position, Range
from tests.contract.lsp.editor import Editor
from tests.contract.lsp.launching import Launcher
from tests.fast.lsp.document_model import (
    Model,
    lines_of,
    random_change,
    random_text,
    undone,
)

EDITS = int(os.environ.get("CATO_FUZZ_LSP_EDITS", "2000"))
SEED = int(os.environ.get("CATO_FUZZ_SEED", "2"))
EDITORS, CHECK_EVERY = 4, 40
LANGUAGES = ("python", "javascript", "c", "plaintext")
FAULTS = (None, None, "reset", "die", "stream_error", "malformed")
ANSWERED_S = 60.0


class TypingClient:
    """One editor with one document, and a plain string that says what stands in it."""

    def __init__(self, number: int, editor: Editor, fake: Emulator, text: str) -> None:
        self._chance = random.Random(f"{SEED} {number}")
        self._editor, self._fake = editor, fake
        self._uri, self._language = f"file:///fuzz/{number}", LANGUAGES[number % len(LANGUAGES)]
        self._model, self._version = Model(text, Encoding.UTF16), 1
        self._undo: Change | None = None
        self._asked: dict[str, Awaitable[object]] = {}
        self._numbers = 0
        editor.open(text, self._uri, self._language)

    async def types(self, edits: int) -> None:
        """So many edits, with whatever an editor may do between two of them."""
        for number in range(1, edits + 1):
            self._edit()
            while self._chance.random() < 0.4:
                self._do_something()
            if self._chance.random() < 0.3:
                # Lets the server come to any point of what it was asked.
                await self._fake_or_loop()
            if number % CHECK_EVERY == 0:
                await self._is_in_sync()
        await self._everything_is_answered()

    def _edit(self) -> None:
        count = self._chance.choice((1, 1, 1, 1, 2, 5))
        before, changes = self._model.text, list[Change]()
        if self._undo is not None and self._chance.random() < 0.15:
            count, changes = 0, [self._undo]
            self._model.apply(self._undo)
        for _ in range(count):
            changes.append(random_change(self._chance, self._model.text, Encoding.UTF16))
            self._model.apply(changes[-1])
        self._undo = undone(before, self._model.text)
        self._tell(changes)

    def _tell(self, changes: list[Change]) -> None:
        self._version += 1
        identifier = types.VersionedTextDocumentIdentifier(self._version, self._uri)
        params = types.DidChangeTextDocumentParams(identifier, [*map(_event, changes)])
        self._editor.text_document_did_change(params)

    def _do_something(self) -> None:
        action = self._chance.choice((self._ask, self._ask, self._ask, self._take_back))
        action()
        if self._chance.random() < 0.02:
            self._editor.close(self._uri)
            self._editor.open(self._model.text, self._uri, self._language)
            self._version = 1

    def _ask(self) -> None:
        self._numbers += 1
        name = f"{self._uri} {self._numbers}"
        lines = self._model.text.count("\n") + 2
        line, character = self._chance.randrange(lines), self._chance.randrange(30)
        automatic = self._chance.random() < 0.7
        self._asked[name] = self._editor.inline(
            line, character, self._uri, automatic=automatic, message_id=name
        )

    def _take_back(self) -> None:
        """One of the last requests, answered or not."""
        if self._asked:
            self._editor.cancel(self._chance.choice(list(self._asked)[-3:]))

    async def _fake_or_loop(self) -> None:
        if self._chance.random() < 0.2:
            await self._editor.status()
        else:
            await asyncio.sleep(0)

    async def _is_in_sync(self) -> None:
        """Asks at the very end: the prompt must be the whole text, or its last part."""
        mark = f"\nmark {self._uri} {self._version} {self._numbers} "
        end = Position(len(lines_of(self._model.text)), 0)
        change = Change(mark, Range(end, end))
        self._model.apply(change)
        self._tell([change])
        self._undo = None
        async with asyncio.timeout(ANSWERED_S):
            prompt = await self._prompt_with(mark)
        assert self._model.text.endswith(mark)
        # Engines get LF, whatever the document has.
        text = self._model.text.replace("\r\n", "\n").replace("\r", "\n")
        assert text.endswith(prompt)
        assert len(prompt) == len(text) or len(prompt) > 1000

    async def _prompt_with(self, mark: str) -> str:
        """The prompt of a request at the end; while the backend is in trouble none is sent."""
        while True:
            self._numbers += 1
            name, last = f"{self._uri} {self._numbers}", len(lines_of(self._model.text))
            self._asked[name] = self._editor.inline(last, 0, self._uri, message_id=name)
            await self._asked[name]
            for request in reversed(self._fake.requests):
                prompt: str = request.body.get("prompt", "")
                if prompt.endswith(mark):
                    return prompt
            await self._editor.ready()

    async def _everything_is_answered(self) -> None:
        async with asyncio.timeout(ANSWERED_S):
            await asyncio.gather(*self._asked.values())
        protocol = self._editor.protocol
        assert not protocol.refusals
        assert {name: protocol.answers[name] for name in self._asked} == dict.fromkeys(
            self._asked, 1
        )


def _event(change: Change) -> types.TextDocumentContentChangeEvent:
    if change.range is None:
        return types.TextDocumentContentChangeWholeDocument(change.text)
    start, end = change.range.start, change.range.end
    span = types.Range(
        types.Position(start.line, start.character), types.Position(end.line, end.character)
    )
    return types.TextDocumentContentChangePartial(span, change.text)


async def _trouble(fake: Emulator, chance: random.Random) -> None:
    """The backend fails now and then, and answers at other speeds."""
    while True:
        kind = chance.choice(FAULTS)
        fault = {"kind": kind, "after_tokens": 1, "times": 1} if kind else None
        await fake.change(
            faults=[fault], itl_ms=chance.choice((0, 1, 5)), ttft_ms=chance.choice((0, 9))
        )
        await asyncio.sleep(0.05)


@pytest.mark.timeout(3600)
async def test_random_editors_of_one_server(launch: Launcher, fake: Emulator) -> None:
    await fake.change(reply="value = compute(a, b)\n    return value\n")
    address = await launch.listen("tcp")
    options = {"debounceMs": 5}
    chance = random.Random(SEED)
    typists: list[TypingClient] = []
    for number in range(EDITORS):
        settings = {"backend": {"url": fake.url}, "completion": options}
        editor = await launch.connect("tcp", address, settings=settings)
        text = random_text(chance, 100) if number else "x" * 1_000_000
        typists.append(TypingClient(number, editor, fake, text))
    trouble = asyncio.create_task(_trouble(fake, chance))
    try:
        await asyncio.gather(*(typist.types(EDITS // EDITORS) for typist in typists))
    finally:
        trouble.cancel()
    assert "Traceback" not in launch.log

"""An editor as the study sees it: keys and answers go in, requests and ghost text come out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from bench.developers.scripts import File, Script, Suggestion
from cato_backend.config import TargetsConfig
from cato_backend.wire.headers import Task
from cato_lab.workloads.arrival import Arrival
from cato_lab.workloads.lengths import Document, SessionBlocks

COMPLETION = TargetsConfig().of(Task.COMPLETION)


class Desk(Protocol):
    """What a client can do."""

    def at(self, time: float, action: Callable[[Any, float], None], argument: object) -> None:
        """`action(argument, time)` will be called at `time`."""
        ...

    def send(self, arrival: Arrival, client: Client, now: float) -> None:
        """Ask the backend; the client is told what comes of it."""
        ...

    def warm(self, arrival: Arrival, now: float) -> None:
        """Have a prompt computed, if the backend has time."""
        ...

    def withdraw(self, request_id: str, now: float) -> None:
        """Take a request back."""
        ...

    def load(self) -> float:
        """Return the load (0..1) that the backend tells with its answers."""
        ...


class Screen:
    """The ghost text of one developer. It shrinks while it is typed, and goes with another key."""

    def __init__(self) -> None:
        self.cursor = 0
        self._ghost: Suggestion | None = None

    @property
    def is_right(self) -> bool:
        """Whether a suggestion is shown, and all that is left of it will be typed."""
        return self._ghost is not None and self._ghost.right and self._ghost.fits(self.cursor)

    def show(self, suggestion: Suggestion | None) -> None:
        """Show it in place of what is there; None clears the screen."""
        self._ghost = suggestion


class Prompts:
    """The prompts of one developer. Stable ones share all but what was typed since; in others the
    window slides with the cursor, so that nothing is shared."""

    def __init__(self, script: Script, *, stable: bool) -> None:
        self._script, self._stable = script, stable
        self._file = script.files[0]
        self._document = Document(SessionBlocks(2 * script.index), self._file.tokens)

    def blocks(self, cursor: int, file: File) -> tuple[int, tuple[int, ...]]:
        """Return the tokens of the prompt at the cursor, and its blocks."""
        tokens = file.tokens if file.first == cursor else self._script.prompt_tokens(cursor)
        document, new = self._document, tokens - self._document.tokens
        if file is not self._file or not self._stable or new < 0:
            self._file = file
            document.open(tokens)
        elif new:
            document.type(new)
        return tokens, document.blocks


class Client:
    """One developer's editor. The study tells it of keys and answers."""

    stable = True

    def __init__(self, script: Script, desk: Desk) -> None:
        self.screen = Screen()
        self._script, self._desk = script, desk
        self._name = f"d{script.index}"
        self._prompts = Prompts(script, stable=self.stable)
        self._asked = 0

    def typed(self, cursor: int, now: float) -> None:
        """A key: `cursor` keys have been typed by now."""
        self.screen.cursor = cursor

    def opened(self, file: File, now: float) -> None:
        """The developer is in another file."""
        self.screen.show(None)

    def begun(self, request_id: str, now: float) -> None:
        """The first token of an answer has come."""

    def answered(self, request_id: str, now: float) -> None:
        """All of an answer has come."""

    def refused(self, request_id: str, now: float) -> None:
        """A request has ended without an answer."""

    def _arrival(self, cursor: int, now: float) -> Arrival:
        """Return a request of a client that names neither class nor session."""
        self._asked += 1
        size = self._script.natural(cursor)
        tokens, blocks = self._prompts.blocks(cursor, self._script.file(cursor))
        answer = max(size.output_tokens, self._script.suggestion(cursor).tokens)
        return Arrival(
            id=f"{self._name}-{self._asked}",
            time=now,
            task=Task.COMPLETION,
            prompt_tokens=tokens,
            output_tokens=answer,
            max_tokens=size.max_tokens,
            target=COMPLETION,
            blocks=blocks,
            taken_for=(Task.COMPLETION, COMPLETION),
        )

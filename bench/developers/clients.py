"""What editors do at each key: two plain clients, and a model of `cato-lsp`."""

from __future__ import annotations

from dataclasses import dataclass

from bench.developers.editor import COMPLETION, Client, Desk
from bench.developers.scripts import File, Script, Suggestion
from cato_backend.gateway.headers import Budgets
from cato_backend.requests import Target
from cato_backend.wire.headers import Task
from cato_lab.workloads.arrival import Arrival
from cato_lsp.decisions.classify import LINE_TOKENS
from cato_lsp.decisions.habits import TYPICAL_TTFT_MS, TypingRhythm, budget_ms, debounce_ms
from cato_lsp.session.status import AnswerTimes
from cato_lsp.settings.settings import CompletionSettings, Targets

_PLAIN_DEBOUNCE_S = 0.15
_EDITOR_MS = 50.0
"""After a key VS Code waits so long before it asks the language server."""
_STATEMENT_TOKENS = 64
"""`max_tokens` of a statement (`cato_lsp.decisions.classify`)."""
_END_TOKENS = 2
"""The token that tells the line's end, and one that is computed until the engine hears of it."""
_ROUND_TRIP_MS = 1.0
_WARM = Target(ttft_s=10.0, worthless_after_s=1.0)
"""As the gateway asks it of `POST /v1/warm` (`cato_backend.gateway.editor_calls`)."""


class PlainClient(Client):
    """Asks 150 ms after each key and takes the request back at the next; keeps no answer."""

    stable = False

    def __init__(self, script: Script, desk: Desk) -> None:
        super().__init__(script, desk)
        self._waits_for: tuple[str, Suggestion] | None = None

    def typed(self, cursor: int, now: float) -> None:
        """Begin anew."""
        super().typed(cursor, now)
        self._withdraw(now)
        self._desk.at(now + _PLAIN_DEBOUNCE_S, self._ask, cursor)

    def opened(self, file: File, now: float) -> None:
        """Drop what belongs to the former file."""
        super().opened(file, now)
        self._withdraw(now)

    def answered(self, request_id: str, now: float) -> None:
        """Show it: the request would have been taken back at another key."""
        if self._waits_for is not None:
            self.screen.show(self._waits_for[1])
            self._waits_for = None

    def refused(self, request_id: str, now: float) -> None:
        """There is nothing to wait for."""
        self._waits_for = None

    def _ask(self, cursor: int, now: float) -> None:
        if cursor == self.screen.cursor:
            arrival = self._arrival(cursor, now)
            self._waits_for = arrival.id, self._script.suggestion(cursor)
            self._desk.send(arrival, self, now)

    def _withdraw(self, now: float) -> None:
        waits_for, self._waits_for = self._waits_for, None
        if waits_for is not None:
            self._desk.withdraw(waits_for[0], now)


class StablePlainClient(PlainClient):
    """The same, with prompts that begin alike from key to key."""

    stable = True


@dataclass(slots=True)
class _Stream:
    """An answer that is on its way."""

    request_id: str
    says: Suggestion
    asked_s: float
    key_s: float
    """When the question came."""
    begun: bool = False


class LanguageServer(Client):
    """`cato-lsp` as VS Code uses it (`cato_lsp.suggestions.finder`).

    What is typed along with is not asked again, nor is what is being said already. Else it asks
    after the adaptive debounce, in place of its older request, and reads to the line's end.
    """

    def __init__(self, script: Script, desk: Desk) -> None:
        super().__init__(script, desk)
        self._settings, self._targets = CompletionSettings(), Targets()
        self._rhythm, self._times = TypingRhythm(), AnswerTimes()
        self._known: Suggestion | None = None
        self._stream: _Stream | None = None
        self._questioned: int | None = None
        """Where the editor waits for an answer."""

    def typed(self, cursor: int, now: float) -> None:
        """The editor takes its question back; it asks again if no other key comes at once."""
        super().typed(cursor, now)
        self._rhythm.key(now)
        self._questioned = None
        stream = self._stream
        if stream is not None and stream.begun and not stream.says.fits(cursor):
            self._end_stream(now)
        self._desk.at(now + _EDITOR_MS / 1000, self._question, cursor)

    def opened(self, file: File, now: float) -> None:
        """Answers belong to the former file; the prompt of this one is computed ahead."""
        super().opened(file, now)
        self._known = self._questioned = None
        self._end_stream(now)
        tokens, blocks = self._prompts.blocks(file.first, file)
        warm = Arrival(
            id=f"{self._name}-w{file.number}",
            time=now,
            task=Task.COMPLETION,
            prompt_tokens=tokens,
            output_tokens=1,
            max_tokens=1,
            target=_WARM,
            blocks=blocks,
            session=self._name,
        )
        self._desk.warm(warm, now)

    def begun(self, request_id: str, now: float) -> None:
        """Note how fast it came; an answer that says something else than was typed is ended."""
        stream = self._stream
        if stream is None or stream.request_id != request_id:
            return
        stream.begun = True
        self._times.began(1000 * (now - stream.asked_s))
        if not stream.says.fits(self.screen.cursor):
            self._end_stream(now)
            self._look_again(now)

    def answered(self, request_id: str, now: float) -> None:
        """Keep the answer, and show it to the editor that waits."""
        stream = self._stream
        if stream is not None and stream.request_id == request_id:
            self._stream, self._known = None, stream.says
            self._times.answered(1000 * (now - stream.key_s), self._desk.load())
            self._look_again(now)

    def refused(self, request_id: str, now: float) -> None:
        """The editor is told that there is nothing, and asks again at the next key."""
        if self._stream is not None and self._stream.request_id == request_id:
            self._stream = None

    def _question(self, cursor: int, now: float) -> None:
        if cursor == self.screen.cursor:
            self._questioned = cursor
            self._look(now)

    def _look_again(self, now: float) -> None:
        if self._questioned == self.screen.cursor:
            self._look(now)

    def _look(self, now: float) -> None:
        """Show what is known; wait for what is on its way; else ask after the debounce."""
        if self._known is not None and self._known.fits(self.screen.cursor):
            self.screen.show(self._known)
        elif self._stream is None:
            self._desk.at(now + self._debounce_s(), self._ask, (self.screen.cursor, now))

    def _debounce_s(self) -> float:
        wait_ms = debounce_ms(
            self._rhythm,
            answer_ms=self._times.ttft_ms or TYPICAL_TTFT_MS,
            load=self._times.load or 0.0,
            editor_ms=_EDITOR_MS,
            longest_ms=self._settings.debounce_ms,
        )
        return wait_ms / 1000

    def _ask(self, question: tuple[int, float], now: float) -> None:
        cursor, key_s = question
        if cursor != self._questioned or self._stream is not None:
            return
        says = self._script.suggestion(cursor)
        arrival = self._arrival(cursor, now)
        arrival = arrival._replace(
            output_tokens=min(arrival.output_tokens, says.tokens + _END_TOKENS),
            max_tokens=_STATEMENT_TOKENS,
            target=self._target(now - key_s),
            session=self._name,
            document=f"{self._name}-{self._script.file(cursor).number}",
            supersede=True,
            expected_tokens=LINE_TOKENS,
            taken_for=None,
        )
        self._stream = _Stream(arrival.id, says, now, key_s)
        self._desk.send(arrival, self, now)

    def _target(self, spent_s: float) -> Target:
        left_ms = budget_ms(
            self._targets.completion_ttft_ms,
            spent_ms=1000 * spent_s,
            round_trip_ms=_ROUND_TRIP_MS,
        )
        return Budgets(ttft_s=left_ms / 1000).within(COMPLETION)

    def _end_stream(self, now: float) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            self._desk.withdraw(stream.request_id, now)


CLIENTS: dict[str, type[Client]] = {
    "naive150": PlainClient,
    "naive150-stable": StablePlainClient,
    "cato-lsp": LanguageServer,
}

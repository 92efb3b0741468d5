"""The catalog of models and adapters: their names and their facts."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from cato_backend.clock import Clock, monotonic
from cato_backend.errors import NoReplica, NotFound
from cato_backend.prediction.online import CharsPerToken
from cato_backend.runtime.facts import DescribedReplica, ModelFacts, model_table, serving
from cato_backend.wire.headers import ALIAS, ALIASES, Task

Refresh = Callable[[], Awaitable[None]]
"""Describes every replica again."""


class Catalog:
    """Models and adapters by name.

    The models of a replica stay known while it is away, so that requests for them can be held,
    until it comes back with others. `expected_s`: a replica that has been away for less than this
    may come back with any model.
    """

    def __init__(
        self,
        configured: tuple[str, ...],
        tasks: Mapping[Task, str],
        expected_s: float = 60.0,
        clock: Clock = monotonic,
    ) -> None:
        self._configured = configured
        self._tasks = dict(tasks)
        self._expected_s = expected_s
        self._clock = clock
        self._members: dict[str, DescribedReplica] = {}
        self._facts: dict[str, ModelFacts] = {}
        self._ratios = defaultdict[str, CharsPerToken](CharsPerToken)
        self._contexts: dict[str, int | None] = {}
        """What `served_context` has found, until a replica changes."""
        self._changed = asyncio.Event()
        self._refresh: Refresh | None = None
        self.unresolved = 0
        """Requests whose model is not known yet."""
        self._rebuild()

    # -- replicas ------------------------------------------------------------------------------

    def expect(self, replica_id: str, model: str = "") -> None:
        """Add a replica that was not described yet; it must serve `model`, where one is named."""
        self._members[replica_id] = DescribedReplica(self._clock(), model, is_watched=True)
        self._rebuild()

    def learn(self, replica_id: str, facts: ModelFacts, adapters: tuple[str, ...] = ()) -> None:
        """Take in the description of a replica in service; `facts` tell its own context."""
        member = self._members.setdefault(replica_id, DescribedReplica(self._clock()))
        member.facts, member.adapters, member.serves = facts, adapters, True
        self._rebuild()

    def lose(self, replica_id: str) -> None:
        """Mark a replica that was given up."""
        member = self._members.get(replica_id)
        if member is not None and member.serves:
            member.serves, member.away_since = False, self._clock()
            self._rebuild()

    def forget(self, replica_id: str) -> None:
        """Forget a replica that does not come back."""
        if self._members.pop(replica_id, None) is not None:
            self._rebuild()

    def on_unknown_name(self, refresh: Refresh) -> None:
        """Set what is called before an unknown name is refused."""
        self._refresh = refresh

    # -- queries -------------------------------------------------------------------------------

    def __contains__(self, name: object) -> bool:
        return name in self._facts

    def facts(self, name: str) -> ModelFacts:
        """Return the facts of a model or an adapter, with the largest context of its replicas.

        Raises KeyError.
        """
        return self._facts[name]

    def ratio(self, name: str) -> CharsPerToken:
        """Return the learned characters per token of a model, which its adapters share."""
        facts = self._facts.get(name)
        return self._ratios[facts.model if facts else name]

    def models(self) -> tuple[ModelFacts, ...]:
        """Return all models without adapters, in the order of the configuration."""
        return tuple(facts for facts in self._facts.values() if not facts.parent)

    def adapters(self) -> tuple[ModelFacts, ...]:
        """Return all further names of models, such as those of LoRA adapters."""
        return tuple(facts for facts in self._facts.values() if facts.parent)

    def tasks_of(self, name: str) -> tuple[Task, ...]:
        """Return the tasks that the alias maps to this name."""
        return tuple(task for task in Task if self.model_for(task) == name)

    def model_for(self, task: Task) -> str:
        """Return what the alias stands for.

        The configured model, else the first that is served, else the first that is known; the alias
        itself where none is.
        """
        served = (name for name in self._facts if self.is_served(name))
        return self._tasks.get(task) or next(served, next(iter(self._facts), ALIAS))

    def model_of(self, name: str, task: Task) -> str:
        """Return the model whose replicas requests for a name or an alias are sent to.

        An adapter's is the model that it belongs to; a name that is not known stands for itself.
        """
        target = self._target(name, task)
        facts = self._facts.get(target)
        return facts.model if facts else target

    def is_served(self, name: str) -> bool:
        """Return whether a replica in service serves the model or the adapter."""
        return any(True for _ in self._serving(name))

    def served_context(self, name: str) -> int | None:
        """Return the largest context among the replicas in service that serve the name.

        None where there is none, or one of them does not tell its context.
        """
        if name not in self._contexts:
            self._contexts[name] = self._served_context(name)
        return self._contexts[name]

    def _served_context(self, name: str) -> int | None:
        contexts = [facts.max_model_len for facts in self._serving(name)]
        known = [length for length in contexts if length is not None]
        return max(known) if known and len(known) == len(contexts) else None

    # -- names ---------------------------------------------------------------------------------

    async def resolve(self, name: str, task: Task, patience_s: float) -> str:
        """Return the known name for a name or an alias; an alias means the model of `task`.

        Waits while a replica that is away may serve it. Raises NotFound, NoReplica.
        """
        if (found := self._known(name, task)) is not None:
            return found
        if patience_s <= 0:
            raise self._unknown(name, task)
        with self._counted():
            refreshing = asyncio.ensure_future(self._refreshed())
            try:
                async with asyncio.timeout(patience_s):
                    return await self._until_known(name, task, refreshing)
            except TimeoutError as error:
                raise self._unknown(name, task) from error
            finally:
                refreshing.cancel()

    async def _until_known(self, name: str, task: Task, refreshing: asyncio.Future[None]) -> str:
        while (found := self._known(name, task)) is None:
            if refreshing.done() and not self._may_come():
                raise self._not_found(name, task)
            changed = asyncio.ensure_future(self._changed.wait())
            pending: set[asyncio.Future[Any]] = {changed}
            if not refreshing.done():
                pending.add(refreshing)
            try:
                await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            finally:
                changed.cancel()
        return found

    def _known(self, name: str, task: Task) -> str | None:
        target = self._target(name, task)
        return target if target in self._facts else None

    def _target(self, name: str, task: Task) -> str:
        return self.model_for(task) if name in ALIASES else name

    def _may_come(self) -> bool:
        """Return whether a replica that is away may come back with an unknown model."""
        watched = [member for member in self._members.values() if member.is_watched]
        if not any(member.facts for member in self._members.values()):
            return bool(watched) or not self._facts
        since = self._clock() - self._expected_s
        return any(not member.serves and member.away_since > since for member in watched)

    async def _refreshed(self) -> None:
        if self._refresh is not None:
            await self._refresh()

    @contextmanager
    def _counted(self) -> Generator[None]:
        self.unresolved += 1
        try:
            yield
        finally:
            self.unresolved -= 1

    def _unknown(self, name: str, task: Task) -> NotFound | NoReplica:
        """Return the client's mistake, unless a replica that is away may serve the name."""
        return self._not_served_yet(name) if self._may_come() else self._not_found(name, task)

    def _not_found(self, name: str, task: Task) -> NotFound:
        known = ", ".join([*ALIASES, *self._facts])
        got = self._target(name, task)
        return NotFound(f"model: got {got!r}, expected one of {known}", param="model")

    def _not_served_yet(self, name: str) -> NoReplica:
        if not self._facts:
            return NoReplica("no replica has been reached yet")
        known = ", ".join([*ALIASES, *self._facts])
        return NoReplica(
            f"model: {name!r} is served by no replica that answers, and some do not answer; "
            f"served now: {known}",
            param="model",
        )

    # -- the table -----------------------------------------------------------------------------

    def _rebuild(self) -> None:
        self._facts = model_table(self._configured, self._members.values())
        self._contexts.clear()
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _serving(self, name: str) -> Iterator[ModelFacts]:
        facts = self._facts.get(name)
        return iter(()) if facts is None else serving(facts, self._members.values())

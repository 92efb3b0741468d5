"""Which models there are, what each may serve, and what is known of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from cato_backend.errors import NoReplica, NotFound
from cato_backend.prediction.ratio import CharsPerToken
from cato_backend.runtime.facts import ModelFacts
from cato_backend.wire.headers import ALIAS, ALIASES, Task


class Catalog:
    """Models by name. A configured model is known before its first replica is up."""

    def __init__(self, configured: tuple[str, ...], tasks: Mapping[Task, str]) -> None:
        self._facts: dict[str, ModelFacts] = {name: ModelFacts(name) for name in configured}
        self._ratios: dict[str, CharsPerToken] = {}
        self._tasks = dict(tasks)
        self._changed = asyncio.Event()

    def learn(self, facts: ModelFacts) -> None:
        """A replica told what the model is."""
        self._facts[facts.name] = facts
        self._changed.set()

    def facts(self, name: str) -> ModelFacts:
        """What is known of a model in the catalog."""
        return self._facts[name]

    def ratio(self, name: str) -> CharsPerToken:
        """The model's learned characters per token."""
        return self._ratios.setdefault(name, CharsPerToken())

    def models(self) -> tuple[ModelFacts, ...]:
        """Every model, in the order in which they became known."""
        return tuple(self._facts.values())

    def tasks_of(self, name: str) -> tuple[Task, ...]:
        """The tasks that the alias maps to this model."""
        return tuple(task for task in Task if self._model_for(task) == name)

    async def resolve(self, name: str, task: Task, patience_s: float) -> str:
        """The model's own name for a name or an alias; an alias means the model of `task`.

        Where no model is known yet, waits for the first. Raises NotFound, NoReplica.
        """
        if not self._facts:
            await self._wait_for_first(patience_s)
        if name in ALIASES:
            name = self._model_for(task)
        if name not in self._facts:
            known = ", ".join([*ALIASES, *self._facts])
            raise NotFound(f"model: got {name!r}, expected one of {known}", param="model")
        return name

    def _model_for(self, task: Task) -> str:
        return self._tasks.get(task) or next(iter(self._facts), ALIAS)

    async def _wait_for_first(self, patience_s: float) -> None:
        try:
            async with asyncio.timeout(patience_s):
                await self._changed.wait()
        except TimeoutError as error:
            raise NoReplica("no replica has been reached yet") from error

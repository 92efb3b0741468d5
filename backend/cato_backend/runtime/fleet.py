"""Between the replicas' supervisor and the runtime: a replica is learned before it is used."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp

from cato_backend.config import Config
from cato_backend.profile_files.names import model_key
from cato_backend.profile_files.profile import Profile
from cato_backend.replicas.probe import (
    has_chat_template,
    is_healthy,
    speaks_vllm,
    takes_priority,
    token_ids,
)
from cato_backend.replicas.replica import Replica
from cato_backend.runtime.facts import Endpoint, ModelFacts
from cato_backend.runtime.runtime import Runtime
from cato_backend.tasks.detection import AUTO, detect, probe_texts

log = logging.getLogger(__name__)

_LOOK_S = 0.25
"""Between two looks at a replica that could not be connected to."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What is known of a replica before it is asked."""

    max_running: int
    """Requests that it is given at once."""
    family: str = AUTO
    """Its model's fill-in-the-middle family."""
    profile: Profile | None = None
    place: str = ""
    """Hardware and engine flags, where it is started here."""


class Fleet:
    """Listens to the supervisor. `on_news` gets each note for the person who watches."""

    def __init__(
        self,
        config: Config,
        runtime: Runtime,
        session: aiohttp.ClientSession,
        on_news: Callable[[str], None],
    ) -> None:
        self._config = config
        self._runtime = runtime
        self._session = session
        self._on_news = on_news
        self._expected: dict[str, Expected] = {}
        self._learning: dict[str, asyncio.Task[None]] = {}
        self._replicas: dict[str, Replica] = {}
        self._latest = "no replica has been started yet"
        self.first_up = asyncio.Event()
        """Set when the first replica takes requests."""
        runtime.on_unreachable(self._rest)

    @property
    def progress(self) -> str:
        """The latest note."""
        return self._latest

    def expect(self, replica_id: str, expected: Expected) -> None:
        """What the configuration says about a replica that will come up."""
        self._expected[replica_id] = expected

    def on_up(self, replica: Replica) -> None:
        """It answers: learn what its model is, then use it."""
        self._replicas[replica.id] = replica
        self._learning[replica.id] = asyncio.create_task(self._learn(replica))

    def on_down(self, replica_id: str, reason: str) -> None:
        """It no longer answers."""
        self._replicas.pop(replica_id, None)
        learning = self._learning.pop(replica_id, None)
        if learning is not None:
            learning.cancel()
        self._runtime.remove_replica(replica_id)
        self.on_note(replica_id, f"down: {reason}")

    def on_note(self, replica_id: str, text: str) -> None:
        """Something for people."""
        self._latest = f"{replica_id}: {text}"
        log.info("%s", self._latest)
        self._on_news(self._latest)

    def _rest(self, replica_id: str) -> None:
        """It cannot be connected to, though nobody has called it down yet: unused until it can."""
        replica = self._replicas.get(replica_id)
        if replica is None or not self._learning[replica_id].done():
            return
        self._runtime.remove_replica(replica_id)
        self.on_note(replica_id, "cannot be reached")
        self._learning[replica_id] = asyncio.create_task(self._learn_again(replica))

    async def _learn_again(self, replica: Replica) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            if await is_healthy(self._session, replica.url, replica.api_key):
                return await self._learn(replica)

    async def _learn(self, replica: Replica) -> None:
        expected = self._expected[replica.id]
        family = expected.family
        ids = await token_ids(self._session, replica, probe_texts(replica.model, family))
        facts = ModelFacts(
            name=replica.model,
            max_model_len=replica.max_model_len,
            fim=detect(replica.model, ids, family),
            has_chat_template=await has_chat_template(self._session, replica),
        )
        endpoint = await self._endpoint(replica)
        profile = self._own_profile(replica, expected)
        self._runtime.add_replica(endpoint, facts, expected.max_running, profile, expected.place)
        self.on_note(replica.id, f"up: {replica.model}; fill-in-the-middle: {facts.fim.reason}")
        self.first_up.set()

    def _own_profile(self, replica: Replica, expected: Expected) -> Profile | None:
        """The expected one, unless it turns out to be another model's."""
        profile = expected.profile
        if profile is None or model_key(profile.model) == model_key(replica.model):
            return profile
        self.on_note(
            replica.id, f"its profile is of {profile.model}, not {replica.model}: not used"
        )
        return None

    async def _endpoint(self, replica: Replica) -> Endpoint:
        is_vllm = await speaks_vllm(self._session, replica)
        return Endpoint(
            replica_id=replica.id,
            url=replica.url,
            upstream_model=replica.model,
            token=replica.api_key or "",
            speaks_vllm=is_vllm,
            takes_priority=is_vllm and await takes_priority(self._session, replica),
        )

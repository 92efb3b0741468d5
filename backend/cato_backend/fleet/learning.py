"""Describes a new replica and its model: abilities, context, and the size of the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from cato_backend.config import EMBEDDED, Config
from cato_backend.embedded_model import WEIGHTS
from cato_backend.errors import ConfigError
from cato_backend.profile_files.shape import read_shape
from cato_backend.replicas.features import (
    ends_turns,
    has_chat_template,
    speaks_vllm,
    takes_priority,
    takes_system_message,
    token_ids,
)
from cato_backend.replicas.replica import Replica
from cato_backend.runtime.facts import Endpoint, ModelFacts
from cato_backend.tasks.detection import detect, probe_texts
from cato_backend.wire.estimates import parameters_named


@dataclass(frozen=True, slots=True)
class Learned:
    """A replica as HTTP clients see it, and its model with the replica's own context."""

    endpoint: Endpoint
    facts: ModelFacts


async def learn(
    session: aiohttp.ClientSession, replica: Replica, family: str, instruct: bool | None = None
) -> Learned:
    """Ask a replica what it serves.

    `family` is the configured fill-in-the-middle family, `instruct` whether its model follows
    instructions, where that is configured.

    Raises ReplicaUnavailable.
    """
    ids = await token_ids(session, replica, probe_texts(replica.model, family))
    has_template = await has_chat_template(session, replica)
    facts = ModelFacts(
        name=replica.model,
        max_model_len=replica.max_model_len,
        fim=detect(replica.model, ids, family),
        has_chat_template=has_template,
        takes_system_message=not has_template or await takes_system_message(session, replica),
        root=replica.root,
        ends_turns=ends_turns(replica.root),
        configured_instruct=instruct,
    )
    is_vllm = await speaks_vllm(session, replica)
    endpoint = Endpoint(
        replica_id=replica.id,
        url=replica.url,
        upstream_model=replica.model,
        token=replica.api_key or "",
        max_model_len=replica.max_model_len,
        adapters=replica.adapters,
        speaks_vllm=is_vllm,
        takes_priority=is_vllm and await takes_priority(session, replica),
    )
    return Learned(endpoint, facts)


class ModelSizes:
    """Parameters by the name of a model.

    Counted from the files of a local one, else as its name says.
    """

    def __init__(self, counted: Mapping[str, int]) -> None:
        self._counted = counted

    @classmethod
    def of(cls, config: Config) -> ModelSizes:
        """Read the `config.json` of each local model; what cannot be read is left out."""
        found = {model.name: _counted(model.path) for model in config.models}
        return cls({name: count for name, count in found.items() if count is not None})

    def of_model(self, name: str) -> int | None:
        """Return the number of parameters; None where it is not known."""
        return self._counted.get(name) or parameters_named(name)


def _counted(path: str) -> int | None:
    folder = WEIGHTS if path == EMBEDDED else Path(path).expanduser()
    if not folder.is_dir():
        return parameters_named(path)
    try:
        return read_shape(folder).parameters
    except ConfigError:
        # Some architectures have parts that are not counted; their names may still tell.
        return parameters_named(path)


def served_line(learned: Learned) -> str:
    """Return what a replica serves, for people."""
    facts, adapters = learned.facts, learned.endpoint.adapters
    also = f"; also {', '.join(adapters)}" if adapters else ""
    kind = "instruct" if facts.instruct.follows else "base"
    return (
        f"{facts.name}; fill-in-the-middle: {facts.fim.reason}; {kind} model "
        f"({facts.instruct.reason}){also}"
    )

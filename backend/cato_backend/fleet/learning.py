"""Asks a replica that comes up what it and its model can do."""

from __future__ import annotations

from dataclasses import dataclass

import aiohttp

from cato_backend.replicas.features import (
    ends_turns,
    has_chat_template,
    speaks_vllm,
    takes_priority,
    token_ids,
)
from cato_backend.replicas.replica import Replica
from cato_backend.runtime.facts import Endpoint, ModelFacts
from cato_backend.tasks.detection import detect, probe_texts


@dataclass(frozen=True, slots=True)
class Learned:
    """A replica as HTTP clients see it, and its model with the replica's own context."""

    endpoint: Endpoint
    facts: ModelFacts


async def learn(
    session: aiohttp.ClientSession, replica: Replica, family: str, instruct: bool | None = None
) -> Learned:
    """Asks the replica; `family` is the configured fill-in-the-middle family, `instruct` whether
    its model follows instructions, where that is configured.

    Raises ReplicaUnavailable.
    """
    ids = await token_ids(session, replica, probe_texts(replica.model, family))
    facts = ModelFacts(
        name=replica.model,
        max_model_len=replica.max_model_len,
        fim=detect(replica.model, ids, family),
        has_chat_template=await has_chat_template(session, replica),
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

"""Names of the HTTP headers (docs/http-api.md), and the tasks that they carry."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType

TASK = "x-cato-task"
SLO_TTFT_MS = "x-slo-ttft-ms"
"""Budget in milliseconds from the sending of the request to its first token."""
SLO_E2E_MS = "x-slo-e2e-ms"
"""Budget in milliseconds from the sending of the request to its last token."""
SLO_TPOT_MS = "x-slo-tpot-ms"
"""Beside a target for the first token: mean milliseconds between two output tokens."""
SESSION = "x-cato-session"
DOCUMENT = "x-cato-document"
SUPERSEDE = "x-cato-supersede"
COMPARED = "x-cato-compared"
"""1: the answers are only compared with those of another request, and not shown."""
WORKFLOW = "x-cato-workflow"
OUTPUT_TOKENS = "x-cato-output-tokens"
"""The client's own estimate of how many tokens the answer will have."""
MOST_OUTPUT_TOKENS = 131_072
"""The largest estimate that is accepted."""
REQUEST_ID = "x-request-id"
TRACEPARENT, TRACESTATE = "traceparent", "tracestate"
"""W3C Trace Context: the span of the client that the request is part of."""

REPLICA = "x-cato-replica"
QUEUE_MS = "x-cato-queue-ms"
PREDICTED_MS = "x-cato-predicted-ms"
LOAD = "x-cato-load"
"""0..1: how much of what the fleet may have outstanding is outstanding now."""
RETRY_AFTER_MS = "retry-after-ms"

ALIAS = "cato"
"""The model name that a client asks for when it leaves the choice to the backend."""


class Task(StrEnum):
    """The SLA classes."""

    COMPLETION = "completion"
    GENERATION = "generation"
    SUMMARIZATION = "summarization"
    TRANSLATION = "translation"
    AGENT = "agent"
    """A turn of a coding agent: behind everything that a person waits for."""


TASKS_OF_PEOPLE = (Task.COMPLETION, Task.GENERATION, Task.SUMMARIZATION, Task.TRANSLATION)
"""The classes that a person waits for."""

TASK_ALIASES = MappingProxyType({f"{ALIAS}-{task}": task for task in Task})
"""Model names that leave the choice of the model to the backend and name the class of the request,
for clients that can set a model but no header."""
ALIASES = (ALIAS, *TASK_ALIASES)


class CancelReason(StrEnum):
    """Reasons of a client to end its request. `ENOUGH` counts as met, the others do not count."""

    ENOUGH = "enough"
    TYPED = "typed"
    CLOSED = "closed"

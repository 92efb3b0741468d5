"""Names of the HTTP headers of DESIGN's wire contract, and the tasks that they carry."""

from __future__ import annotations

from enum import StrEnum

TASK = "x-cato-task"
SLO_TTFT_MS = "x-slo-ttft-ms"
"""Budget in milliseconds from the sending of the request to its first token."""
SLO_E2E_MS = "x-slo-e2e-ms"
"""Budget in milliseconds from the sending of the request to its last token."""
SESSION = "x-cato-session"
DOCUMENT = "x-cato-document"
SUPERSEDE = "x-cato-supersede"
WORKFLOW = "x-cato-workflow"
OUTPUT_TOKENS = "x-cato-output-tokens"
"""The client's own estimate of how many tokens the answer will have."""
REQUEST_ID = "x-request-id"

REPLICA = "x-cato-replica"
QUEUE_MS = "x-cato-queue-ms"
PREDICTED_MS = "x-cato-predicted-ms"
LOAD = "x-cato-load"
"""0..1: how much of what the fleet may have outstanding is outstanding now."""
RETRY_AFTER_MS = "retry-after-ms"

ALIAS = "cato"
"""The model name that a client asks for when it leaves the choice to the backend."""


class Task(StrEnum):
    """The SLA classes of DESIGN section 2."""

    COMPLETION = "completion"
    GENERATION = "generation"
    SUMMARIZATION = "summarization"
    TRANSLATION = "translation"
    AGENT = "agent"
    """A turn of a coding agent: behind everything that a person waits for."""


TASKS_OF_PEOPLE = (Task.COMPLETION, Task.GENERATION, Task.SUMMARIZATION, Task.TRANSLATION)
"""The classes that a person waits for."""


class CancelReason(StrEnum):
    """Why a client ends its own request: `ENOUGH` counts as met, the others do not count."""

    ENOUGH = "enough"
    TYPED = "typed"
    CLOSED = "closed"

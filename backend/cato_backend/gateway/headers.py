"""The request headers, parsed: CATO's own, and those of other projects that mean the same.

CATO's own are validated. What cannot be used of the others is ignored: a client that never heard of
CATO must not be refused for it. Their sources: llm-d/llm-d-router, `pkg/epp/metadata/consts.go`
(targets) and its `agent-identity` plugin (sessions); ai-dynamo/dynamo, DEP #9755 and
`deploy/inference-gateway/ext-proc/src/admission.rs`; Claude Code's gateway protocol
(code.claude.com/docs/en/llm-gateway-protocol).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from cato_backend.errors import InvalidRequest
from cato_backend.requests import Origin, Target, value
from cato_backend.wire import headers as names
from cato_backend.wire.headers import Task

SLO_TTFT_MS = ("x-llm-d-slo-ttft-ms", "x-dynamo-slo-ttft-ms", "x-dynamo-meta-slo-ttft-ms")
"""Dynamo's proposal and its gateway spell the name differently; both are read."""

SLO_TPOT_MS = ("x-llm-d-slo-tpot-ms",)
"""Dynamo has none."""

AGENT_SESSIONS = (
    "x-claude-code-session-id",
    "session-id",
    "session_id",
    "x-session-affinity",
)
"""What coding agents call their session: Claude Code, Codex (new and old spelling), OpenCode."""

LONGEST_BUDGET_MS = 3_600_000

_SHORTEST_BUDGET_S = 1e-6

IDENTIFIER = re.compile(r"[\x21-\x7e]{1,200}")

_LONGEST_TRACE = 512
"""Characters of a trace context's header."""

_SLOWEST_TPOT_S = 0.1
"""A person reads about as fast: no further is a configured TPOT scaled."""


def seconds_of(milliseconds: float) -> float:
    """Return a budget in seconds: at least a microsecond, for laws and logarithms divide by it."""
    return max(_SHORTEST_BUDGET_S, milliseconds / 1e3)


def foreign_session(headers: Mapping[str, str]) -> str | None:
    """Return the session of a coding agent; None where no header holds a usable one."""
    for name in AGENT_SESSIONS:
        value = headers.get(name)
        if value is not None and IDENTIFIER.fullmatch(value):
            return value
    return None


def foreign_budget_s(headers: Mapping[str, str], names: Iterable[str]) -> float | None:
    """Seconds, from the first of these headers that holds a usable number of milliseconds."""
    for name in names:
        value = headers.get(name)
        milliseconds = None if value is None else _number(value)
        if milliseconds is not None and 0 < milliseconds <= LONGEST_BUDGET_MS:
            return seconds_of(milliseconds)
    return None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


@value
class RequestHeaders:
    """The headers of a request, completed with its class and target."""

    request_id: str
    task: Task
    target: Target
    origin: Origin
    supersede: bool
    workflow: str | None
    expected_tokens: int | None = None
    """The client's own estimate of its output tokens."""
    compared: bool = False
    """Whether the answer is only compared with another one, and no client waits for it."""
    declared: bool = True
    """Whether the client named its class, or its target."""
    names_pace: bool = True
    """Whether it named the time between two tokens."""
    token_id: str = ""
    """Id of its token in the store."""
    trace_context: tuple[tuple[str, str], ...] = ()
    """Its W3C trace context, where it has one."""


@value
class Budgets:
    """The targets that a client asks for, in seconds; None where it sends none."""

    ttft_s: float | None = None
    e2e_s: float | None = None
    tpot_s: float | None = None

    @property
    def given(self) -> bool:
        """Whether the client asks for a target of its own."""
        return self.ttft_s is not None or self.e2e_s is not None

    def within(self, default: Target) -> Target:
        """Return the client's budgets instead of the configured ones.

        The time after which the answer is worthless is scaled as the first token's target is. So is
        the TPOT of a client that names none and has more time for the first token than configured:
        its replicas are slower, or it is in less of a hurry. A TPOT counts only beside a target for
        the first token.
        """
        if not self.given:
            if self.tpot_s is None or default.ttft_s is None:
                return default
            return replace(default, tpot_s=self.tpot_s)
        if self.ttft_s is None or (default.e2e_s is not None and self.e2e_s is not None):
            return Target(e2e_s=self.e2e_s)
        scale = self.ttft_s / default.ttft_s if default.ttft_s is not None else 1.0
        worthless, tpot_s = default.worthless_after_s, default.tpot_s
        return Target(
            ttft_s=self.ttft_s,
            worthless_after_s=None if worthless is None else worthless * scale,
            tpot_s=self.tpot_s or (None if tpot_s is None else scaled_tpot_s(tpot_s, scale)),
        )


def scaled_tpot_s(tpot_s: float, scale: float) -> float:
    """Return the TPOT beside a first token that has `scale` times as long; never a shorter one."""
    return max(tpot_s, min(tpot_s * scale, _SLOWEST_TPOT_S))


class TargetTable(Protocol):
    """Default targets of the classes."""

    def of(self, task: Task) -> Target:
        """Return the target of a class."""
        ...


@value
class GivenHeaders:
    """The headers of a request as the client sent them; None for those that are missing."""

    request_id: str
    task: Task | None
    budgets: Budgets
    origin: Origin
    supersede: bool | None
    workflow: str | None
    expected_tokens: int | None
    names_origin: bool
    """Whether it named its session or document by our headers."""
    from_agent: bool
    """Whether it named its session by the header of a coding agent."""
    compared: bool = False
    token_id: str = ""
    trace_context: tuple[tuple[str, str], ...] = ()

    def of_task(self, task: Task, targets: TargetTable, *, named: bool = True) -> RequestHeaders:
        """Return the same for a request of this class; `named`: the client has told the class."""
        return RequestHeaders(
            request_id=self.request_id,
            task=task,
            target=self.budgets.within(targets.of(task)),
            origin=self.origin,
            supersede=bool(self.supersede),
            workflow=self.workflow,
            expected_tokens=self.expected_tokens,
            compared=self.compared,
            declared=named or self.budgets.given,
            names_pace=self.budgets.tpot_s is not None,
            token_id=self.token_id,
            trace_context=self.trace_context,
        )


def parse_headers(headers: Mapping[str, str], tenant: str, token_id: str = "") -> GivenHeaders:
    """Return what the headers say of a request of this tenant, sent with the token of this id.

    Raises InvalidRequest naming the header, for headers of our own.
    """
    session, document = _identifier(headers, names.SESSION), _identifier(headers, names.DOCUMENT)
    agent_session = foreign_session(headers)
    return GivenHeaders(
        request_id=_identifier(headers, names.REQUEST_ID) or secrets.token_hex(12),
        task=_task(headers),
        budgets=Budgets(
            ttft_s=_budget_s(headers, names.SLO_TTFT_MS, SLO_TTFT_MS),
            e2e_s=_budget_s(headers, names.SLO_E2E_MS),
            tpot_s=_budget_s(headers, names.SLO_TPOT_MS, SLO_TPOT_MS),
        ),
        origin=Origin(tenant, session or agent_session or "", document or ""),
        supersede=_flag(headers, names.SUPERSEDE),
        workflow=_identifier(headers, names.WORKFLOW),
        expected_tokens=_tokens(headers, names.OUTPUT_TOKENS),
        names_origin=session is not None or document is not None,
        from_agent=agent_session is not None,
        compared=bool(_flag(headers, names.COMPARED)),
        token_id=token_id,
        trace_context=_trace_context(headers),
    )


def given_request_id(headers: Mapping[str, str]) -> str | None:
    """Return the client's own request id, where it is fit to be told back."""
    value = headers.get(names.REQUEST_ID)
    return value if value and IDENTIFIER.fullmatch(value) else None


def _task(headers: Mapping[str, str]) -> Task | None:
    value = headers.get(names.TASK)
    if value is None:
        return None
    try:
        return Task(value)
    except ValueError as error:
        raise _bad(names.TASK, value, "one of " + ", ".join(Task)) from error


def _budget_s(headers: Mapping[str, str], name: str, foreign: Sequence[str] = ()) -> float | None:
    value = headers.get(name)
    if value is None:
        return foreign_budget_s(headers, foreign)
    try:
        milliseconds = float(value)
    except ValueError as error:
        raise _bad(name, value, "milliseconds") from error
    if not 0 < milliseconds <= LONGEST_BUDGET_MS:
        raise _bad(name, value, f"milliseconds above 0, at most {LONGEST_BUDGET_MS}")
    return seconds_of(milliseconds)


def _tokens(headers: Mapping[str, str], name: str) -> int | None:
    value = headers.get(name)
    if value is None:
        return None
    # int() would also take signs, spaces, underscores and digits of other scripts.
    tokens = int(value) if value.isascii() and value.isdecimal() and len(value) < 10 else 0
    if not 1 <= tokens <= names.MOST_OUTPUT_TOKENS:
        raise _bad(name, value[:50], f"an integer from 1 to {names.MOST_OUTPUT_TOKENS}")
    return tokens


def _trace_context(headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return the W3C trace context as it came; what is malformed is ignored where it is read."""
    if names.TRACEPARENT not in headers:
        return ()
    found = ((name, headers.get(name, "")) for name in (names.TRACEPARENT, names.TRACESTATE))
    return tuple(each for each in found if 0 < len(each[1]) <= _LONGEST_TRACE and each[1].isascii())


def _identifier(headers: Mapping[str, str], name: str) -> str | None:
    value = headers.get(name)
    if value is not None and not IDENTIFIER.fullmatch(value):
        raise _bad(name, value[:50], "1 to 200 visible ASCII characters")
    return value


def _flag(headers: Mapping[str, str], name: str) -> bool | None:
    value = headers.get(name)
    if value not in (None, "0", "1"):
        raise _bad(name, value, "1 or 0")
    return None if value is None else value == "1"


def _bad(name: str, value: str, expected: str) -> InvalidRequest:
    return InvalidRequest(f"{name}: got {value!r}, expected {expected}", param=name)

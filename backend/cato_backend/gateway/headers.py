"""The request headers of the wire contract, parsed and validated."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from cato_backend.config import TargetsConfig
from cato_backend.errors import InvalidRequest
from cato_backend.requests import Origin, Target
from cato_backend.wire import headers as names
from cato_backend.wire.headers import Task

_LONGEST_BUDGET_MS = 3_600_000
_IDENTIFIER = re.compile(r"[\x21-\x7e]{1,200}")


@dataclass(frozen=True, slots=True)
class RequestHeaders:
    """What a client says about its request."""

    request_id: str
    task: Task
    target: Target
    origin: Origin
    supersede: bool
    workflow: str | None


def parse_headers(
    headers: Mapping[str, str], tenant: str, targets: TargetsConfig, task: Task | None = None
) -> RequestHeaders:
    """Raises InvalidRequest naming the header. `task` is the one that the path implies."""
    task = task or _task(headers)
    return RequestHeaders(
        request_id=_identifier(headers, names.REQUEST_ID) or secrets.token_hex(12),
        task=task,
        target=_target(headers, targets.of(task)),
        origin=Origin(
            tenant,
            _identifier(headers, names.SESSION) or "",
            _identifier(headers, names.DOCUMENT) or "",
        ),
        supersede=_flag(headers, names.SUPERSEDE),
        workflow=_identifier(headers, names.WORKFLOW),
    )


def given_request_id(headers: Mapping[str, str]) -> str | None:
    """The client's own request id, where it is fit to be told back."""
    value = headers.get(names.REQUEST_ID)
    return value if value and _IDENTIFIER.fullmatch(value) else None


def _task(headers: Mapping[str, str]) -> Task:
    value = headers.get(names.TASK)
    if value is None:
        return Task.GENERATION
    try:
        return Task(value)
    except ValueError as error:
        raise _bad(names.TASK, value, "one of " + ", ".join(Task)) from error


def _target(headers: Mapping[str, str], default: Target) -> Target:
    """The client's budget in place of the configured one; its worth is scaled alike."""
    ttft_s, e2e_s = _budget_s(headers, names.SLO_TTFT_MS), _budget_s(headers, names.SLO_E2E_MS)
    if ttft_s is None and e2e_s is None:
        return default
    if ttft_s is None or (default.e2e_s is not None and e2e_s is not None):
        return Target(e2e_s=e2e_s)
    worthless = default.worthless_after_s
    if worthless is not None and default.ttft_s is not None:
        worthless *= ttft_s / default.ttft_s
    return Target(ttft_s=ttft_s, worthless_after_s=worthless, tpot_s=default.tpot_s)


def _budget_s(headers: Mapping[str, str], name: str) -> float | None:
    value = headers.get(name)
    if value is None:
        return None
    try:
        milliseconds = float(value)
    except ValueError as error:
        raise _bad(name, value, "milliseconds") from error
    if not 0 < milliseconds <= _LONGEST_BUDGET_MS:
        raise _bad(name, value, f"milliseconds above 0, at most {_LONGEST_BUDGET_MS}")
    return milliseconds / 1e3


def _identifier(headers: Mapping[str, str], name: str) -> str | None:
    value = headers.get(name)
    if value is not None and not _IDENTIFIER.fullmatch(value):
        raise _bad(name, value[:50], "1 to 200 visible ASCII characters")
    return value


def _flag(headers: Mapping[str, str], name: str) -> bool:
    value = headers.get(name, "0")
    if value not in ("0", "1"):
        raise _bad(name, value, "1 or 0")
    return value == "1"


def _bad(name: str, value: str, expected: str) -> InvalidRequest:
    return InvalidRequest(f"{name}: got {value!r}, expected {expected}", param=name)

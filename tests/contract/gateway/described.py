"""Requests made from the server's own OpenAPI document, valid and not, and what it must answer."""

from __future__ import annotations

import asyncio
import multiprocessing
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.specs.openapi import checks as openapi_checks

from cato_backend.wire.headers import ALIAS

_HANGS_S = 20.0
_LONGEST_NAME = 100
_CHECKS = (
    not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_headers_conformance,
    openapi_checks.response_schema_conformance,
    openapi_checks.negative_data_rejection,
    openapi_checks.unsupported_method,
)
_REFUSALS = ["400", "401", "403", "404", "405", "406", "409", "413", "415", "422", "428", "429"]
"""Statuses of a request against its description; 413 is the answer to a text that is too long."""
_CONFIG = {"checks": {"negative_data_rejection": {"expected-statuses": _REFUSALS}}}


async def tried_out(url: str, examples: int, number: int = 0) -> Counter[int]:
    """Sends so many requests to each operation, half of them against its description.

    `number`: of the run; another one tries others. Returns how often each status came. Raises
    AssertionError with the first wrong answer.

    The requests are made in a process of their own: a thread would keep the fake replica, which
    runs in this process, from answering in time, and the server would take it for down.
    """
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawning) as process:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(process, _try_out, url, examples, number)
    if isinstance(found, str):
        raise AssertionError(found)
    return found


def _try_out(url: str, examples: int, number: int) -> Counter[int] | str:
    """How often each status came, or what was wrong: not all errors pass between processes."""
    try:
        return _statuses(url, examples, number)
    except (BaseExceptionGroup, AssertionError, requests.RequestException):
        return traceback.format_exc()


def _statuses(url: str, examples: int, number: int) -> Counter[int]:
    load_all_checks()
    config = schemathesis.Config.from_dict(_CONFIG)
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json", config=config)
    statuses: Counter[int] = Counter()
    with requests.Session() as session:
        for operation in _operations(schema):
            strategies = [operation.as_strategy(generation_mode=mode) for mode in GenerationMode]
            one = partial(_answered, session, url, statuses)
            _each(st.one_of(strategies), examples, number, one)
    return statuses


def _operations(schema: Any) -> Iterator[Any]:
    for found in schema.get_all_operations():
        yield found.ok()


def _each(
    cases: st.SearchStrategy[Case], examples: int, number: int, act: Callable[[Case], None]
) -> None:
    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, is_served=st.booleans())
    def one(case: Case, is_served: bool) -> None:
        model = case.body.get("model") if isinstance(case.body, dict) else None
        # Any other name is refused as unknown. A name that is too long is wrong on purpose.
        if is_served and isinstance(model, str) and 0 < len(model) <= _LONGEST_NAME:
            case.body["model"] = ALIAS
        act(case)

    one()


def _answered(session: requests.Session, url: str, statuses: Counter[int], case: Case) -> None:
    response = case.call(base_url=url, session=session, timeout=_HANGS_S)
    statuses[response.status_code] += 1
    case.validate_response(response, checks=list(_CHECKS))

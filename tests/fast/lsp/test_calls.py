"""What the backend is told about a request, and what it is not."""

from __future__ import annotations

from cato_backend.wire import headers
from cato_backend.wire.tasks import TaskKind, TaskRequest, Unit
from cato_lsp.backend.calls import ClientIds, task_call

CLIENT_IDS = ClientIds("session", "document")


def test_a_completion_cannot_take_the_place_of_a_task_in_the_same_document() -> None:
    request = TaskRequest(
        TaskKind.SUMMARIZATION, "python", (Unit("f", "function", "def f(): ..."),)
    )
    call = task_call(request, CLIENT_IDS, "id", budget_ms=2900, expected_tokens=50)
    assert headers.DOCUMENT not in call.headers
    assert call.headers[headers.SLO_E2E_MS] == "2900"


def test_a_budget_that_is_spent_is_still_a_budget() -> None:
    request = TaskRequest(
        TaskKind.SUMMARIZATION, "python", (Unit("f", "function", "def f(): ..."),)
    )
    call = task_call(request, CLIENT_IDS, "id", budget_ms=-5, expected_tokens=50)
    assert call.headers[headers.SLO_E2E_MS] == "1"

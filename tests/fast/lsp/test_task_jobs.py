"""What a task is about, by the place in the document, and its request."""

from __future__ import annotations

import pytest

from cato_backend.wire.tasks import Diagnostic, TaskKind
from cato_lsp.backend.calls import ClientIds
from cato_lsp.backend.models import Model
from cato_lsp.backend.task_answers import TaskProgress, patience_s
from cato_lsp.settings.settings import Targets
from cato_lsp.syntax import open_document
from cato_lsp.tasks.jobs import Job, call_for, request_for
from cato_lsp.tasks.running import refusal
from cato_lsp.tasks.selection import MOST_UNITS, NothingSelected, Selection, TextRange, select
from cato_lsp.text.snapshot import Snapshot

TEXT = (
    "import os\n\n\ndef f():\n    return g()\n\n\ndef g():\n    return 1\n\n\n# add two\nx = f()\n"
)
EVERYTHING = TextRange(0, len(TEXT))
CLIENT_IDS = ClientIds("s", "d")


def snapshot_of(text: str = TEXT, language: str = "python") -> Snapshot:
    return open_document("file:///src/demo.py", language, 1, text).snapshot()


def chosen(kind: TaskKind, place: TextRange | None, text: str = TEXT) -> Selection:
    return select(snapshot_of(text), kind, place)


def names(selection: Selection) -> list[str]:
    return [unit.name or unit.kind for unit in selection.units]


@pytest.mark.parametrize(
    ("kind", "place", "expected", "called"),
    [
        (TaskKind.SUMMARIZATION, TextRange(20, 20), ["f"], "f"),
        (TaskKind.SUMMARIZATION, None, ["f", "g", "code"], "demo.py"),
        (TaskKind.TRANSLATION, None, ["f", "g", "code"], "demo.py"),
        (TaskKind.DOCUMENTATION, None, ["f", "g"], "demo.py"),
        (TaskKind.TESTS, EVERYTHING, ["f", "g"], "f to g"),
        (TaskKind.EXPLANATION, TextRange(0, 9), ["selection"], "line 1"),
        (TaskKind.EXPLANATION, EVERYTHING, ["selection"], "lines 1 to 13"),
        (TaskKind.FIX, None, ["file"], "demo.py"),
        (TaskKind.FIX, TextRange(24, 30), ["f"], "f"),
    ],
)
def test_units_by_place(
    kind: TaskKind, place: TextRange | None, expected: list[str], called: str
) -> None:
    selection = chosen(kind, place)
    assert names(selection) == expected
    assert selection.name == called


def test_a_method_is_tested_as_its_class_and_with_what_the_file_declares() -> None:
    text = f"{TEXT}class A:\n    def m(self):\n        return f()\n"
    at = text.index("return f()\n", text.index("class A"))
    selection = chosen(TaskKind.TESTS, TextRange(at, at), text)
    assert names(selection) == ["A"]
    assert "def g():" in selection.context
    assert names(chosen(TaskKind.DOCUMENTATION, TextRange(at, at), text)) == ["m"]


def test_a_comment_says_what_to_generate() -> None:
    at = TEXT.index("# add") + 3
    selection = chosen(TaskKind.GENERATION, TextRange(at, at))
    assert selection.instruction == "add two"
    assert selection.units[0].text == TEXT[: TEXT.index("\nx = f")]


def test_the_name_of_the_interpreter_is_no_comment() -> None:
    text = "#!/bin/sh\n# list the files\n"
    snapshot = snapshot_of(text, "shellscript")
    assert select(snapshot, TaskKind.GENERATION, None).instruction == "list the files"
    with pytest.raises(NothingSelected):
        select(snapshot, TaskKind.GENERATION, TextRange(3, 3))


def test_the_line_below_a_comment_is_its_place_too() -> None:
    text = "x = 1\n    # add two\n    # numbers\n    \ny = 2\n"
    at = text.index("\ny = 2")
    selection = chosen(TaskKind.GENERATION, TextRange(at, at), text)
    assert selection.instruction == "add two\nnumbers"


@pytest.mark.parametrize("kind", TaskKind)
@pytest.mark.parametrize("text", ["", "\n\n  \n"])
def test_an_empty_file_has_nothing_to_do(kind: TaskKind, text: str) -> None:
    with pytest.raises(NothingSelected, match="the file is empty"):
        chosen(kind, None, text)


def test_a_file_that_is_too_long_for_one_answer_is_not_fixed_whole() -> None:
    text = f"{TEXT}{'x = 1  # one' * 600}\n"
    with pytest.raises(NothingSelected, match=r"more than the 6000 .* select the function"):
        chosen(TaskKind.FIX, None, text)
    assert names(chosen(TaskKind.FIX, TextRange(24, 30), text)) == ["f"]


def test_a_file_of_many_functions_is_taken_whole_in_fewer_units() -> None:
    text = "".join(f"def f{number}():\n    return {number}\n\n\n" for number in range(1000))
    selection = chosen(TaskKind.SUMMARIZATION, None, text)
    assert len(selection.units) <= MOST_UNITS
    assert all(
        f"def f{number}()" in "".join(u.text for u in selection.units) for number in (0, 999)
    )
    with pytest.raises(NothingSelected, match="1000 functions and classes"):
        chosen(TaskKind.DOCUMENTATION, None, text)


def job(kind: TaskKind, place: TextRange | None, text: str = TEXT, *said: Diagnostic) -> Job:
    snapshot = snapshot_of(text)
    target = "go" if kind is TaskKind.TRANSLATION else None
    return Job(kind, select(snapshot, kind, place), snapshot, target, "id", 0.0, said)


def test_a_file_s_translation_tells_what_uses_what() -> None:
    request = request_for(job(TaskKind.TRANSLATION, None))
    assert [unit.uses for unit in request.units] == [(1,), (), (0,)]
    assert request.units[1].signature == "def g():"
    assert request.context == "import os"


def test_line_ends_are_lf_and_a_long_unit_says_where_it_may_be_split() -> None:
    body = "".join(f"    x{number} = {number}\r\n" for number in range(500))
    request = request_for(job(TaskKind.SUMMARIZATION, TextRange(6, 6), f"def f():\r\n{body}"))
    assert "\r" not in request.units[0].text
    assert request.units[0].breaks == tuple(range(1, 501))


def test_diagnostics_count_from_the_unit_s_first_line() -> None:
    complaints = (Diagnostic(5, "no g"), Diagnostic(12, "elsewhere"))
    request = request_for(job(TaskKind.FIX, TextRange(20, 20), TEXT, *complaints))
    assert request.units[0].diagnostics == (Diagnostic(2, "no g"),)


@pytest.mark.parametrize(
    ("kind", "place", "budget_ms"),
    [
        (TaskKind.SUMMARIZATION, TextRange(20, 20), 3000),
        (TaskKind.SUMMARIZATION, None, 8000),
        (TaskKind.DOCUMENTATION, TextRange(20, 20), 4400),
        (TaskKind.EXPLANATION, TextRange(20, 20), 9500),
    ],
)
def test_the_target_follows_the_answer_s_length(
    kind: TaskKind, place: TextRange | None, budget_ms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cato_lsp.tasks.jobs.time.perf_counter", lambda: 0.0)
    call = call_for(job(kind, place), CLIENT_IDS, Targets(), Model("m"), 0.0)
    assert call.headers["x-slo-e2e-ms"] == str(budget_ms)


@pytest.mark.parametrize(("needed_ms", "waited_s"), [(3000, 300.0), (300_000, 600.0)])
def test_a_task_is_waited_for_beyond_the_target_of_slow_hardware(
    needed_ms: float, waited_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cato_lsp.tasks.jobs.time.perf_counter", lambda: 0.0)
    model = Model("m", needed_ms={"summarization": needed_ms})
    call = call_for(job(TaskKind.SUMMARIZATION, TextRange(20, 20)), CLIENT_IDS, Targets(), model, 0)
    assert patience_s(call.budget_s) == waited_s


def test_a_model_that_cannot_do_it_is_not_asked() -> None:
    able = Model("m", frozenset({"summarization"}), cancels=True, whole_tasks=frozenset(TaskKind))
    unable = Model("m", frozenset({"summarization"}), cancels=True, whole_tasks_note="take another")
    assert refusal(TaskKind.SUMMARIZATION, able, "URL") == ""
    assert refusal(TaskKind.DOCUMENTATION, unable, "URL") == (
        "m cannot document usefully: take another"
    )
    assert refusal(TaskKind.FIX, Model("m"), "URL") == "the backend at URL offers no fix"


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (TaskProgress("waiting"), "waiting"),
        (TaskProgress("running", 0, 1, 900, 3000), "running, about 0.9 s"),
        (
            TaskProgress("running", 1, 3, 12_400, 3000),
            "running, 1 of 3, about 12 s (its target is 3.0 s)",
        ),
    ],
)
def test_progress_for_people(progress: TaskProgress, text: str) -> None:
    assert progress.text == text

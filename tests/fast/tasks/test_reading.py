"""Answers as they come: the one code block, endless repetition."""

from __future__ import annotations

import pytest

from cato_backend.tasks.reading import AnswerProblem, AnswerReader, repetition_start

CODE = "function add(a, b) {\n\n  return `${a}` + b;\n}"

WITH_EXAMPLE = """def add(a, b):
    '''Add.

    ```python
    add(1, 2)
    ```
    '''
    return a + b"""


def read(answer: str, step: int, *, one_block: bool) -> tuple[AnswerReader, str]:
    """The reader at the end of the answer, and all that it has shown on the way."""
    reader = AnswerReader(one_block=one_block)
    shown = "".join(reader.feed(answer[at : at + step]) for at in range(0, len(answer), step))
    return reader, shown + reader.end()


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (f"```javascript\n{CODE}\n```", CODE),
        (f"```\n{CODE}\n```\nThis adds two numbers.", CODE),
        (f"Here is the code:\n\n```js\n{CODE}\n```\n\nThe same code in C++:\n```cpp\nx\n```", CODE),
        (f"~~~js\n{CODE}\n~~~\n", CODE),
        (f"  ```js\n{CODE}\n  ```\n", CODE),
        (f"```js\n{CODE}", CODE),
        (CODE, CODE),
        (f"```python\n{WITH_EXAMPLE}\n```\nThat is it.", WITH_EXAMPLE),
        (f"````python\n{WITH_EXAMPLE}\n````", WITH_EXAMPLE),
        (WITH_EXAMPLE, WITH_EXAMPLE),
        ("```js\n```\n", ""),
        ("", ""),
    ],
)
def test_one_block_is_shown_whatever_stands_around_it(answer: str, code: str, step: int) -> None:
    reader, shown = read(answer, step, one_block=True)
    assert shown == reader.text == code
    assert reader.problem is (None if code else AnswerProblem.EMPTY)


@pytest.mark.parametrize("fence", ["```", "````"])
def test_the_end_of_the_block_ends_the_answer(fence: str) -> None:
    reader = AnswerReader(one_block=True)
    reader.feed(f"{fence}js\nf();\n")
    assert not reader.is_over
    reader.feed(fence)
    assert reader.is_over
    assert reader.feed("\nAnd now in C++:") == ""


def test_reading_on_takes_no_longer_the_longer_the_block_is() -> None:
    """What is searched for the fence is one line, however many came before it."""
    searched: list[int] = []

    class Line(AnswerReader):
        def _show(self, visible: str) -> str:
            searched.append(len(self._raw) - self._settled)
            return super()._show(visible)

    reader = Line(one_block=True)
    for number in range(1000):
        reader.feed("```js\n" if number == 0 else f"value({number * 7919});\n")
    assert max(searched) < 50
    assert reader.text.count("\n") == 998


@pytest.mark.parametrize(
    ("answer", "finish_reason", "defect"),
    [
        (f"```js\n{CODE}\n```", "length", None),
        (f"```js\n{CODE}", "length", AnswerProblem.CUT_OFF),
        ("There is no error", "length", AnswerProblem.CUT_OFF),
        (f"```js\n{CODE}", "stop", None),
        ("There is no error.", "stop", AnswerProblem.NO_BLOCK),
    ],
)
def test_a_block_that_is_cut_off_or_missing_is_told(
    answer: str, finish_reason: str, defect: AnswerProblem | None
) -> None:
    reader, _ = read(answer, 3, one_block=True)
    assert reader.defect(finish_reason) is defect
    other, _ = read(answer, 3, one_block=False)
    assert other.defect(finish_reason) is None


def test_other_answers_are_shown_as_they_come() -> None:
    reader, shown = read("It adds.\n\n```js\nf();\n```\n", 1, one_block=False)
    assert shown == "It adds.\n\n```js\nf();\n```\n"
    assert not reader.is_over


@pytest.mark.parametrize("step", [1, 5, 1000])
@pytest.mark.parametrize(
    ("said", "loop"),
    [
        ("Return the total", " values of the values of the"),
        ("It adds.\n", "It returns the sum of both.\n"),
        ("x = [", "0, 0, "),
        ("add(a", ", b"),
    ],
)
def test_a_loop_is_cut_at_its_first_repeat(said: str, loop: str, step: int) -> None:
    reader, shown = read(said + loop * 50, step, one_block=False)
    assert reader.is_over
    assert reader.problem is AnswerProblem.REPETITION
    assert reader.text.startswith(said)
    assert len(reader.text) <= len(said + loop)
    assert shown.startswith(reader.text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "# " + "-" * 90 + "\n",
        "[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]",
        "    }\n" * 3,
        "assert f(1) == 2\nassert f(2) == 3\nassert f(3) == 4\nassert f(4) == 5\n",
        "case 'a':\n    return 1;\n" * 3,
    ],
)
def test_what_repeats_itself_in_good_code_is_no_loop(text: str) -> None:
    assert repetition_start(text) is None


def test_a_long_piece_that_comes_a_third_time_is_a_loop() -> None:
    piece = "".join(f"line {number} of it\n" for number in range(10))
    assert repetition_start(piece * 2) is None
    assert repetition_start(piece * 3) == len(piece)

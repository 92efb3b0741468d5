# ruff: noqa: ASYNC240, ASYNC221 - the files are small, and nothing else runs
"""`cato task`: every verb, ranges and files, what is written, and its exit status."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from cato_lab.emulator import Emulator
from tests.commands import Ended
from tests.contract.lsp.backends import gateway
from tests.contract.lsp.launching import environment
from tests.contract.lsp.test_commands import MODEL, cato
from tests.contract.lsp.test_tasks import has_task

SAMPLE = "import os\n\n\ndef add(a, b):\n    return a + c\n\n\ndef sub(a, b):\n    return a - b\n"
PROSE = "Adds two numbers."
ADD = "def add(a, b):\n    return a + b"


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    path = tmp_path / "sample.py"
    path.write_text(SAMPLE)
    return path


@pytest.fixture
async def url(fake: Emulator, tmp_path: Path) -> AsyncIterator[str]:
    """A gateway before a model that follows instructions."""
    await fake.change(model=MODEL, reply=PROSE)
    async with gateway(fake, tmp_path) as address:
        yield address


async def task(folder: Path, url: str, *arguments: str) -> Ended:
    return await cato(folder, "task", *arguments, "--url", url)


@pytest.mark.parametrize(
    ("arguments", "reply", "out"),
    [
        (("explain", "{}:4"), PROSE, f"{PROSE}\n"),
        (("summarize", "{}:4-5"), PROSE, f"{PROSE}\n"),
        (
            ("summarize", "{}"),
            PROSE,
            f"**add**: {PROSE}\n\n**sub**: {PROSE}\n",
        ),
        (
            ("test", "{}:4"),
            "```python\nfrom your_module import add\n\ndef test():\n    assert add(1, 2) == 3\n```",
            "from sample import add\n\ndef test():\n    assert add(1, 2) == 3\n",
        ),
        (
            ("translate", "{}:4", "--to", "go"),
            "```go\nfunc add(a, b int) int {\n\treturn a + b\n}\n```",
            "func add(a, b int) int {\n\treturn a + b\n}\n",
        ),
    ],
)
async def test_results_are_printed(
    fake: Emulator,
    tmp_path: Path,
    sample: Path,
    url: str,
    arguments: tuple[str, ...],
    reply: str,
    out: str,
) -> None:
    await fake.change(reply=reply)
    done = await task(tmp_path, url, *(word.format(sample) for word in arguments))
    assert (done.status, done.out) == (0, out)


@pytest.mark.parametrize(
    ("arguments", "reply", "out"),
    [
        (("summarize", "{}"), PROSE, f"**add**: {PROSE}\n\n**sub**: {PROSE}\n"),
        (("explain", "{}"), PROSE, f"## add\n\n{PROSE}\n\n## sub\n\n{PROSE}\n"),
        (
            ("test", "{}"),
            "```python\nimport pytest\n\ndef test():\n    assert add(1, 2) == sub(5, 2)\n```",
            "from sample import add, sub\n\nimport pytest\n\n"
            + "\n\n".join(["def test():\n    assert add(1, 2) == sub(5, 2)"] * 2)
            + "\n",
        ),
    ],
)
async def test_a_terminal_shows_the_text_of_several_units_once(
    fake: Emulator,
    tmp_path: Path,
    sample: Path,
    url: str,
    arguments: tuple[str, ...],
    reply: str,
    out: str,
) -> None:
    await fake.change(reply=reply)
    done = await on_terminal(tmp_path, url, *(word.format(sample) for word in arguments))
    assert (done.status, done.out.replace("\r\n", "\n")) == (0, out)


async def on_terminal(folder: Path, url: str, *arguments: str) -> Ended:
    """Runs `cato task` with a terminal as its standard output."""
    ours, its = os.openpty()
    command = (sys.executable, "-m", "cato_backend", "task", *arguments, "--url", url)
    process = await asyncio.create_subprocess_exec(
        *command, env=environment(folder), stdout=its, stderr=PIPE
    )
    os.close(its)
    read = asyncio.to_thread(_all_of, ours)
    out, (_, err) = await asyncio.gather(read, process.communicate())
    return Ended(process.returncode or 0, out.decode(), err.decode())


def _all_of(terminal: int) -> bytes:
    """What is written to a terminal until its other side is closed, which Linux tells by EIO."""
    pieces: list[bytes] = []
    with contextlib.suppress(OSError):
        while piece := os.read(terminal, 4096):
            pieces.append(piece)
    os.close(terminal)
    return b"".join(pieces)


async def test_a_docstring_is_a_diff_that_patch_applies(
    tmp_path: Path, sample: Path, url: str
) -> None:
    done = await task(tmp_path, url, "document", f"{sample}:4")
    assert done.status == 0
    assert sample.read_text() == SAMPLE
    subprocess.run(["patch", "-p1"], cwd=tmp_path, input=done.out, text=True, check=True)
    assert sample.read_text() == SAMPLE.replace(
        "    return a + c", f'    """{PROSE}"""\n    return a + c'
    )


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
async def test_every_docstring_of_a_file_is_written_with_its_line_ends(
    tmp_path: Path, sample: Path, url: str, line_end: str
) -> None:
    sample.write_bytes(SAMPLE.replace("\n", line_end).encode())
    done = await task(tmp_path, url, "document", f"{sample}", "--write")
    assert done.status == 0
    text = sample.read_bytes().decode()
    assert text.count(f'    """{PROSE}"""{line_end}') == 2
    assert text.count("\n") == text.count(line_end) == SAMPLE.count("\n") + 2


async def test_what_is_wrong_is_fixed_in_its_function_alone(
    fake: Emulator, tmp_path: Path, sample: Path, url: str
) -> None:
    await fake.change(reply=f"```python\n{ADD}\n```")
    done = await task(
        tmp_path, url, "fix", f"{sample}:4", "--diagnostic", "5: undefined name 'c'", "--write"
    )
    assert done.status == 0
    assert sample.read_text() == SAMPLE.replace("a + c", "a + b")
    assert "- line 2: undefined name 'c'" in str(fake.requests[-1].body)


async def test_without_a_complaint_or_a_syntax_error_there_is_nothing_to_fix(
    fake: Emulator, tmp_path: Path, sample: Path, url: str
) -> None:
    asked = len(fake.requests)
    done = await task(tmp_path, url, "fix", f"{sample}:4")
    assert done.status == 1
    assert "--diagnostic" in done.err
    assert len(fake.requests) == asked


async def test_syntax_errors_are_found_and_told(
    fake: Emulator, tmp_path: Path, sample: Path, url: str
) -> None:
    sample.write_text("def add(a, b:\n    return a + b\n")
    await fake.change(reply=f"```python\n{ADD}\n```")
    done = await task(tmp_path, url, "fix", str(sample), "--write")
    assert done.status == 0
    assert sample.read_text() == f"{ADD}\n"
    assert "- line 1: " in str(fake.requests[-1].body)


async def test_code_is_generated_from_an_instruction(
    fake: Emulator, tmp_path: Path, sample: Path, url: str
) -> None:
    await fake.change(reply="```python\n\n\ndef mul(a, b):\n    return a * b\n```")
    done = await task(
        tmp_path, url, "generate", f"{sample}:9", "--instruction", "multiply", "--write"
    )
    assert done.status == 0
    assert "multiply" in str(fake.requests[-1].body)
    assert "def mul(a, b):" in sample.read_text()


async def test_tests_are_written_to_a_new_file_once(
    fake: Emulator, tmp_path: Path, sample: Path, url: str
) -> None:
    await fake.change(reply="```python\ndef test_add():\n    assert add(1, 2) == 3\n```")
    arguments = ("test", f"{sample}:4", "--write")
    assert (await task(tmp_path, url, *arguments)).status == 0
    written = (tmp_path / "test_sample.py").read_text()
    assert written.startswith("from sample import add\n\ndef test_add")
    again = await task(tmp_path, url, *arguments)
    assert again.status == 1
    assert "exists already" in again.err


async def test_tests_that_were_cut_off_are_shown_and_not_written(
    fake: Emulator, tmp_path: Path, sample: Path, url: str
) -> None:
    lines = "".join(f"        ({n}, {n + 1}),\n" for n in range(1000))
    await fake.change(reply=f"```python\ndef test_add():\n    cases = [\n{lines}    ]\n```")
    done = await task(tmp_path, url, "test", f"{sample}:4", "--write")
    assert done.status == 3
    assert "(7, 8)," in done.out
    assert "nothing was written: the tests for add are not whole" in done.err
    assert "add: the answer was cut off at its limit" in done.err
    assert not (tmp_path / "test_sample.py").exists()


async def test_whole_tests_before_the_cut_are_written(
    fake: Emulator, tmp_path: Path, sample: Path, url: str
) -> None:
    whole = "def test_one():\n    assert add(1, 2) == 3\n\n\n"
    lines = "".join(f"    assert add({n}, 1) == {n + 1}\n" for n in range(1000))
    await fake.change(reply=f"```python\nimport os\n\n{whole}def test_two():\n{lines}```")
    done = await task(tmp_path, url, "test", f"{sample}:4", "--write")
    assert done.status == 0
    assert (
        "the end of the tests for add is left out: the answer was cut off at its limit" in done.err
    )
    written = (tmp_path / "test_sample.py").read_text()
    assert written == f"from sample import add\n\nimport os\n\n{whole.rstrip()}\n"


@pytest.mark.parametrize(
    ("name", "text", "line", "documented"),
    [
        (
            "m.lua",
            "--- Old.\nlocal function add(a, b)\n  return a + b\nend\n",
            2,
            f"--- {PROSE}\nlocal function add(a, b)\n  return a + b\nend\n",
        ),
        (
            "M.kt",
            "class M {\n    @A\n    fun add(a: Int, b: Int) = a + b\n}\n",
            3,
            f"class M {{\n    /**\n     * {PROSE}\n     */\n    @A\n"
            "    fun add(a: Int, b: Int) = a + b\n}\n",
        ),
    ],
)
async def test_functions_are_documented_without_a_grammar(
    tmp_path: Path, url: str, name: str, text: str, line: int, documented: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    done = await task(tmp_path, url, "document", f"{path}:{line}", "--write")
    assert done.status == 0
    assert path.read_text() == documented


async def test_a_translation_that_cannot_be_parsed_is_repaired_once(
    fake: Emulator, tmp_path: Path, sample: Path, url: str
) -> None:
    """The fake says the same again: the translation is kept, and what is wrong is said."""
    broken = "func add(a int, b int) int {\n\treturn a +\n}"
    await fake.change(reply=f"```go\n{broken}\n```")
    before = len(fake.requests)
    done = await task(tmp_path, url, "translate", f"{sample}:4", "--to", "go")
    assert done.status == 0
    assert done.out == f"{broken}\n"
    assert "cannot be parsed: line " in done.err
    assert len(fake.requests) - before == 2
    assert "What is wrong:" in str(fake.requests[-1].body)


async def test_json_tells_units_edits_and_times(tmp_path: Path, sample: Path, url: str) -> None:
    done = await task(tmp_path, url, "document", f"{sample}", "--json")
    told = json.loads(done.out)
    assert (done.status, told["outcome"]) == (0, "ok")
    assert [unit["name"] for unit in told["units"]] == ["add", "sub"]
    assert [edit["newText"] for edit in told["edits"]] == [f'"""{PROSE}"""\n    '] * 2
    assert told["elapsedMs"] > 0
    assert not done.err


async def test_progress_is_told_from_the_first_half_second_on(
    fake: Emulator, tmp_path: Path, sample: Path, url: str
) -> None:
    await fake.change(ttft_ms=1500)
    done = await task(tmp_path, url, "summarize", f"{sample}:4")
    assert done.status == 0
    first = done.err.splitlines()[0]
    assert first.startswith("[")
    assert "about" in first
    assert first.endswith(" s]")


@pytest.mark.parametrize(
    ("text", "arguments", "said"),
    [
        ("", ("summarize", "{}"), "the file is empty"),
        ("\n \n", ("document", "{}"), "the file is empty"),
        ("x = 1\n", ("test", "{}"), "no function or class in this file"),
        ("x = 1\n", ("summarize", "{}:1"), "no function or class at this place"),
        ("x = 1\n", ("summarize", "{}:2-1"), "is no range"),
        ("x = 1\n", ("summarize", "{}:9"), "has 1 line, there is no line 9"),
        ("x = 1\n", ("summarize", "{}", "--write"), "--write"),
        ("x = 1\n", ("generate", "{}:1"), "no comment"),
    ],
)
async def test_what_cannot_be_done_is_one_line(
    tmp_path: Path, sample: Path, text: str, arguments: tuple[str, ...], said: str
) -> None:
    sample.write_text(text)
    ended = await task(tmp_path, "http://127.0.0.1:9", *(word.format(sample) for word in arguments))
    assert ended.status == 1
    assert said in ended.err
    assert len(ended.err.strip().splitlines()) == 1


async def test_a_long_file_without_a_grammar_is_explained_in_parts(
    fake: Emulator, tmp_path: Path, url: str
) -> None:
    """5,000 lines of a language that CATO has no grammar of, in a context of 4096 tokens."""
    path = tmp_path / "long.lua"
    path.write_text("".join(f"local value_{number} = {number}\n" for number in range(5000)))
    before = len(fake.requests)
    done = await task(tmp_path, url, "explain", str(path))
    assert done.status == 0
    asked = [str(request.body["messages"]) for request in fake.requests[before:]]
    assert len(asked) > 10
    assert all(any(f"value_{n} =" in text for text in asked) for n in (0, 2500, 4999))


async def test_the_embedded_model_is_not_asked(
    fake: Emulator, tmp_path: Path, sample: Path
) -> None:
    async with gateway(fake, tmp_path) as address:
        done = await task(tmp_path, address, "summarize", f"{sample}:4")
    assert done.status == 1
    assert "cannot summarize usefully" in done.err
    assert "cato model fetch" in done.err


async def test_an_interrupted_task_ends_upstream(
    fake: Emulator, tmp_path: Path, sample: Path, url: str
) -> None:
    await fake.change(itl_ms=60_000)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cato_backend", "task", "test", f"{sample}:4", "--url", url),
        env=environment(tmp_path),
        stdout=PIPE,
        stderr=PIPE,
        # Whoever runs the tests in the background of a shell has it ignore interrupts.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    await fake.wait_until(has_task)
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    assert process.returncode == 130
    assert "cancelled" in err.decode()
    await fake.wait_until(lambda state: state.aborted >= 1)


async def test_uncommitted_changes_are_summarized_without_secrets(
    fake: Emulator, tmp_path: Path, sample: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@example.org")
    (tmp_path / ".env").write_text("KEY=1\n")
    for arguments in (("init", "-q"), ("add", "-f", ".env", "sample.py"), ("commit", "-qm", "x")):
        subprocess.run([*git, *arguments], cwd=tmp_path, check=True)
    sample.write_text(SAMPLE.replace("a + c", "a + b"))
    (tmp_path / ".env").write_text("KEY=s3cret\n")
    monkeypatch.chdir(tmp_path)
    done = await task(tmp_path, url, "summarize", "--changes")
    assert (done.status, done.out) == (0, f"{PROSE}\n")
    asked = str(fake.requests[-1].body)
    assert "+    return a + b" in asked
    assert "s3cret" not in asked
    refused = await task(tmp_path, url, "test", "--changes")
    assert refused.status == 1
    assert "--changes: only to summarize and explain" in refused.err

"""`cato complete`, `cato task` and `cato doctor`, as processes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cato_lab.emulator import Emulator
from tests.commands import Ended, run_cato
from tests.contract.lsp.backends import asked, gateway
from tests.contract.lsp.launching import environment

MODEL = "coder-instruct"
"""A model that follows instructions."""
SAMPLE = "def add(a, b):\n    return \n\n\nprint(add(1, 2))\n"


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    path = tmp_path / "sample.py"
    path.write_text(SAMPLE)
    return path


async def cato(folder: Path, *arguments: str) -> Ended:
    """Runs `cato` with a state folder of its own."""
    return await run_cato(environment(folder), *arguments)


async def test_a_completion_is_streamed_and_timed(
    fake: Emulator, tmp_path: Path, sample: Path
) -> None:
    async with gateway(fake, tmp_path) as url:
        shown = await cato(tmp_path, "complete", f"{sample}:2:12", "--url", url)
        told = await cato(tmp_path, "complete", f"{sample}:2:12", "--url", url, "--json")
    assert (shown.status, shown.out) == (0, "a + b")
    assert all(word in shown.err for word in ("queue", "TTFT", "total"))
    report = json.loads(told.out)
    assert report["text"] == "a + b"
    assert 0 <= report["queue_ms"] <= report["ttft_ms"] <= report["total_ms"]
    assert "print(add(1, 2))" in str(asked(fake)[-1].body["prompt"])


async def test_a_task_is_done_for_the_function_at_a_line(
    fake: Emulator, tmp_path: Path, sample: Path
) -> None:
    await fake.change(reply="Adds two numbers.", model=MODEL)
    async with gateway(fake, tmp_path) as url:
        done = await cato(tmp_path, "task", "summarize", f"{sample}:2", "--url", url)
    assert done.status == 0
    assert done.out.strip() == "Adds two numbers."
    assert "summary of add" in done.err


async def test_errors_name_options_where_editors_name_settings(
    tmp_path: Path, sample: Path
) -> None:
    for url, words in (
        ("nonsense", "--url must be the address"),
        ("http://127.0.0.1:1", "in --url"),
    ):
        failed = await cato(tmp_path, "complete", f"{sample}:2:12", "--url", url)
        assert failed.status == 1
        assert words in failed.err


async def test_the_doctor_finds_every_hop_well(fake: Emulator, tmp_path: Path) -> None:
    async with gateway(fake, tmp_path) as url:
        found = await cato(tmp_path, "doctor", "--url", url)
        again = await cato(tmp_path, "doctor", "--url", url)
    assert found.status == 0, found.out
    assert "note   replica static-1: cato-embedded, its speed is not known yet" in found.out
    assert "ok     replica static-1: cato-embedded, " in again.out
    assert "ms a token alone" in again.out
    assert "-> start its engine with --long-prefill-token-threshold" in found.out
    for hop in ("settings", "cato-lsp", "backend", "model", "fill-in-the-middle", "completion"):
        assert f"ok     {hop}:" in found.out


async def test_the_doctor_says_what_to_do(fake: Emulator, tmp_path: Path) -> None:
    await fake.change(listening=False)
    found = await cato(tmp_path, "doctor", "--url", fake.url)
    assert found.status == 1
    assert "BROKEN backend" in found.out
    assert "->" in found.out
    nothing = await cato(tmp_path, "doctor")
    assert nothing.status == 1
    assert "cato serve" in nothing.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("translate", "--to", "klingon"), "--to: there is no translation to 'klingon': expected"),
        (("translate",), "--to LANGUAGE is needed"),
        (("summarize", "--to", "go"), "--to: only to translate"),
    ],
)
async def test_a_target_language_is_checked_before_the_work(
    fake: Emulator, tmp_path: Path, sample: Path, arguments: tuple[str, ...], said: str
) -> None:
    ended = await cato(
        tmp_path, "task", arguments[0], f"{sample}:2", *arguments[1:], "--url", fake.url
    )
    assert ended.status == 1
    assert said in ended.err
    assert not fake.requests


@pytest.mark.parametrize("arguments", [("complete", "{}:1:4"), ("task", "summarize", "{}:1")])
@pytest.mark.parametrize("name", [".env", "id_rsa", "notes.py", "ignored.py"])
async def test_what_is_kept_private_is_not_sent(
    fake: Emulator, tmp_path: Path, arguments: tuple[str, ...], name: str
) -> None:
    """As in an editor; `notes.py` is a link to a file of secrets."""
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("ignored.py\n")
    for secret in (".env", "id_rsa", "ignored.py"):
        (tmp_path / secret).write_text("def key():\n    return 's3cret'\n")
    (tmp_path / "notes.py").symlink_to(tmp_path / ".env")
    place = (argument.format(tmp_path / name) for argument in arguments)
    ended = await cato(tmp_path, *place, "--url", fake.url)
    assert ended.status == 1
    assert "is not sent to a model" in ended.err
    assert not fake.requests


@pytest.mark.parametrize(
    ("place", "complaint"),
    [
        ("nonsense", "FILE:LINE:COLUMN"),
        ("{sample}:99:1", "lines"),
        ("{sample}.gone:1:1", "No such file"),
        ("{sample}:2:1", "no backend is running"),
    ],
)
async def test_what_cannot_be_done_is_one_line(
    tmp_path: Path, sample: Path, place: str, complaint: str
) -> None:
    ended = await cato(tmp_path, "complete", place.format(sample=sample))
    assert ended.status == 1
    assert complaint in ended.err
    assert len(ended.err.strip().splitlines()) == 1

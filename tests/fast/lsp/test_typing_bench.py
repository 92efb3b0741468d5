"""The bench's own judgement: what is typed, and what counts as right."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from bench.typing import virtual
from bench.typing.people import Sitting, develop
from bench.typing.screen import Screen
from bench.typing.scripts import Key, Script, script, sources


def test_a_script_types_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("".join(f"def f{n}():\n    return {n}\n\n" for n in range(200)))
    typed = script(path, 1, 20.0)
    again = script(path, 1, 20.0)
    assert typed == again != script(path, 2, 20.0)
    assert 15 <= sum(key.rest_s for key in typed.keys) <= 25
    assert "".join(key.text for key in typed.keys) in path.read_text()
    assert all(key.text.strip(" ") for key in typed.keys if key.text.startswith("\n"))


def test_a_suggestion_is_right_while_it_is_what_comes_and_counts_once() -> None:
    screen = Screen("x = total\ny", 4)
    screen.show("total", 4)
    screen.look(0.3)
    screen.type("t")
    screen.show("otal", 5)
    screen.show("oken", 5)
    screen.look(0.5)
    screen.show("late", 4)
    seen = screen.seen
    assert (seen.right, seen.something) == ({0.3: 1, 0.5: 0}, {0.3: 1, 0.5: 1})
    assert (seen.shown, seen.wrong, seen.stale) == (2, 1, 1)


def test_a_key_that_does_not_fit_takes_the_ghost_away() -> None:
    screen = Screen("abc", 0)
    screen.show("abc", 0)
    screen.type("x")
    screen.look(0.3)
    assert screen.seen.something[0.3] == 0


def test_an_hour_of_waiting_takes_no_time() -> None:
    async def wait() -> float:
        began_s = time.monotonic()
        await asyncio.sleep(3600)
        return time.monotonic() - began_s

    began_s = time.monotonic()
    assert virtual.run(wait()) == pytest.approx(3600)
    assert time.monotonic() - began_s < 60


def test_no_package_is_both_tuned_on_and_held_out(tmp_path: Path) -> None:
    for number in range(12):
        package = tmp_path / f"package{number}"
        package.mkdir()
        (package / "a.py").write_text("".join(f"value_{n} = {n} + {number}\n" for n in range(500)))
        (package / "b.js").write_text("".join(f"const value{n} = {n};\n" for n in range(500)))
    tuned, held_out = (sources([tmp_path], held_out=each) for each in (False, True))
    assert len(tuned) + len(held_out) == 24
    assert {path.parent for path in tuned}.isdisjoint(path.parent for path in held_out)
    # Languages come in turns.
    assert {path.suffix for path in held_out[:2]} == {".py", ".js"}


class Accepting:
    """Suggests the rest of the text behind its first two characters."""

    def __init__(self, screen: Screen) -> None:
        self.text = ""
        self._screen = screen

    async def start(self, _host: str, _port: int) -> None:
        pass

    def key(self, text: str, _offset: int) -> None:
        self.text += text
        if self.text == "ab":
            self._screen.show(" cd", 2)

    def accept(self, text: str, _offset: int) -> None:
        self.text += text

    async def stop(self) -> None:
        pass


def test_typing_continues_behind_an_accepted_suggestion() -> None:
    screen = Screen("ab cd", 0)
    client = Accepting(screen)
    keys = tuple(Key(text, 1.0) for text in "ab cd")
    typed = Script("a.py", "python", "", "", keys)
    virtual.run(develop(typed, client, screen, Sitting(-1.0, 60.0, "once")))
    assert client.text == "ab cd"
    assert (screen.seen.accepted, screen.seen.saved_characters) == (1, 3)

"""The bench's own judgement: what is typed, and what counts as right."""

from __future__ import annotations

from pathlib import Path

from bench.typing.screen import Screen
from bench.typing.scripts import script


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

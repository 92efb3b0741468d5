"""The pictures of the README: `python -m tests.e2e.pictures`, or `make pictures`.

Runs one end-to-end test in VS Code and one in Neovim, which keep their screens, and joins these to
`docs/images/vscode.gif` and `docs/images/neovim.gif`. `docs/images/page.png` shows the server's
page. The answers are those of a scripted replica.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont
from rich.ansi import AnsiDecoder
from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import MONOKAI
from rich.text import Text

from tests.e2e.page.picture import take
from tests.e2e.terminal import ARTIFACTS

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
TESTS = (
    "tests/e2e/vscode/test_suggestions.py::"
    "test_it_stays_while_it_is_typed_and_is_taken_piece_by_piece",
    "tests/e2e/neovim/test_terminal.py::"
    "test_ghost_text_is_seen_and_tab_puts_it_into_the_file[plugin]",
)
VSCODE = ("suggested", "line-taken", "typed-along", "accepted")
NEOVIM = ("plugin-suggested", "plugin-accepted")
FRAME_MS = 1800
VSCODE_PART = (360, 91, 840, 257)
"""Left, upper, right and lower edge of what is shown of the window, in pixels."""
COLUMNS, FONT_PX, MARGIN_PX = 48, 16, 8
COLOURS = 64


def main() -> None:
    """Runs the tests and writes the pictures. Raises CalledProcessError where a test fails."""
    subprocess.run([sys.executable, "-m", "pytest", "-q", *TESTS], cwd=ROOT, check=True)
    screens = (Image.open(ARTIFACTS / f"vscode-{name}.png") for name in VSCODE)
    save(IMAGES / "vscode.gif", [screen.crop(VSCODE_PART) for screen in screens])
    texts = ((ARTIFACTS / f"neovim-{name}.ansi").read_text() for name in NEOVIM)
    save(IMAGES / "neovim.gif", [drawn(text) for text in texts])
    asyncio.run(take(IMAGES / "page.png"))


def save(path: Path, frames: Sequence[Image.Image]) -> None:
    """Write an animation that repeats."""
    first, *others = (frame.convert("RGB").quantize(COLOURS) for frame in frames)
    first.save(path, save_all=True, append_images=others, duration=FRAME_MS, loop=0, optimize=True)


def drawn(screen: str) -> Image.Image:
    """Return a terminal's screen as an image, without Neovim's empty lines and its last two,
    which name the test's folder."""
    # Colours go on from line to line.
    shown = list(AnsiDecoder().decode(screen.rstrip("\n")))[:-2]
    lines = [line for line in shown if line.plain.strip() != "~"]
    font = ImageFont.truetype(Path(get_data_path(), "fonts/ttf/DejaVuSansMono.ttf"), FONT_PX)
    width, height = font.getlength("m"), round(FONT_PX * 1.4)
    size = (round(width * COLUMNS) + 2 * MARGIN_PX, height * len(lines) + 2 * MARGIN_PX)
    _, behind = colours(next(style for _, style in characters(lines[0])))
    image = Image.new("RGB", size, behind)
    draw = ImageDraw.Draw(image)
    for row, line in enumerate(lines):
        for column, (character, style) in enumerate(characters(line)):
            left, top = MARGIN_PX + column * width, MARGIN_PX + row * height
            fore, back = colours(style)
            draw.rectangle((left, top, left + width, top + height), fill=back)
            draw.text((left, top + 2), character, font=font, fill=fore)
    return image


def characters(line: Text) -> Iterator[tuple[str, Style]]:
    """Yield each character of a line with its style, up to the last column that is shown."""
    console = Console(width=COLUMNS)
    for segment in line[:COLUMNS].render(console):
        for character in segment.text.rstrip("\n"):
            yield character, segment.style or Style()


def colours(style: Style) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the colours of the letter and of what is behind it."""
    found = _rgb(style.color, True), _rgb(style.bgcolor, False)
    return (found[1], found[0]) if style.reverse else found


def _rgb(colour: Color | None, is_foreground: bool) -> tuple[int, ...]:
    return tuple((colour or Color.default()).get_truecolor(MONOKAI, foreground=is_foreground))


if __name__ == "__main__":
    main()

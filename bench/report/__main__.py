"""Command line: `python -m bench.report [--check]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench.report.blocks import BLOCKS, ROOT, with_blocks
from bench.report.page import page

PAGE = Path(__file__).parents[1] / "README.md"


def made() -> dict[Path, str]:
    """Return each page that holds figures with the text that it should have."""
    pages = {ROOT / name: with_blocks(name) for name in BLOCKS}
    return {PAGE: page(), **pages}


def main() -> int:
    """Write the pages; with `--check`, name those that differ and write nothing."""
    parser = argparse.ArgumentParser(prog="python -m bench.report", description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit status 1 where a page is old")
    is_check = parser.parse_args().check
    old = {p: text for p, text in made().items() if p.read_text(encoding="utf-8") != text}
    for path, text in old.items():
        print(f"{'differs' if is_check else 'written'}: {path.relative_to(ROOT)}")
        if not is_check:
            path.write_text(text, encoding="utf-8")
    return 1 if is_check and old else 0


if __name__ == "__main__":
    sys.exit(main())

"""Tables of result files within pages that are otherwise written by hand.

A block stands between `<!-- made by bench.report: NAME: begin -->` and the same with `end`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.report import fleets, tables
from bench.report.sources import SOURCES

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Block:
    """A table in a page, and the result file that it shows."""

    name: str
    file: str
    table: Callable[[Mapping[str, Any]], str]


BLOCKS: dict[str, tuple[Block, ...]] = {
    "docs/models.md": (
        Block("models", "models", tables.models),
        Block("quality", "quality", tables.quality),
    ),
    "docs/embedded-model.md": (
        Block("embedded-serving", "embedded_serving", tables.embedded_serving),
    ),
    "docs/profiles.md": (Block("gpu-profiles", "gpu_profiles", tables.gpu_profiles),),
    "docs/planning.md": (
        Block("plans", "plans", tables.plans),
        Block("scaling-live", "provisioning_live", tables.scaling_live),
        Block("scaling", "provisioning", tables.scaling),
        Block("static-peaks", "provisioning", tables.static_peaks),
        Block("planned-settings", "provisioning", tables.planned_settings),
        Block("forecasts", "forecast", fleets.forecast_table),
    ),
}
"""Page to its blocks."""


def with_blocks(page: str) -> str:
    """Return the text of a page with its blocks as the result files have them.

    Raises ValueError where the page has no place for one, or more than one.
    """
    documents = {source.name: source for source in SOURCES}
    text = (ROOT / page).read_text(encoding="utf-8")
    for block in BLOCKS[page]:
        made = block.table(documents[block.file].document())
        text = filled(text, block.name, made)
    return text


def filled(text: str, name: str, content: str) -> str:
    """Return `text` with `content` in the block of this name.

    Raises ValueError where there is not exactly one.
    """
    begin, end = (f"<!-- made by bench.report: {name}: {mark} -->" for mark in ("begin", "end"))
    block = f"{begin}\n\n{content}\n\n{end}"
    pattern = f"{re.escape(begin)}.*?{re.escape(end)}"
    found, count = re.subn(pattern, lambda _: block, text, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"expected one block {name!r}, found {count}")
    return found

"""Fill-in-the-middle formats: markers, trained orders, tokens that end the infill."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum


class FimOrder(StrEnum):
    """Order of the document's parts in the prompt (PSM and SPM of arXiv 2207.14255)."""

    PREFIX_FIRST = "prefix_first"
    SUFFIX_FIRST = "suffix_first"


class Part(Enum):
    """A place in a layout that the request's own text fills."""

    PREFIX = "prefix"
    SUFFIX = "suffix"


Layout = tuple[str | Part, ...]


class ContextStyle(StrEnum):
    """Layouts of pieces of other files in front of the document."""

    COMMENTS = "comments"
    """As part of the prefix, each under a comment with its path."""
    REPOSITORY = "repository"
    """Under the family's own tokens for a repository and its files, with paths."""
    BARE_FILES = "bare_files"
    """Between the family's file separators, without paths."""


@dataclass(frozen=True, slots=True)
class FimFormat:
    """One family's format. `layouts` holds only the orders that it was trained for, best first.

    `stop`: special tokens that end an infill. `identity`: further tokens that only this family's
    tokenizer has; they tell it from others with the same markers. `instruct`: whether the family's
    models follow instructions even where their name does not say so.
    """

    name: str
    layouts: tuple[tuple[FimOrder, Layout], ...]
    stop: tuple[str, ...]
    context: ContextStyle = ContextStyle.COMMENTS
    repository_token: str = ""
    file_token: str = ""
    identity: tuple[str, ...] = ()
    instruct: bool = False

    @property
    def orders(self) -> tuple[FimOrder, ...]:
        """The orders that the family was trained for, best first."""
        return tuple(order for order, _ in self.layouts)

    @property
    def markers(self) -> tuple[str, ...]:
        """The special tokens that a prompt of this format cannot do without."""
        pieces = (piece for _, layout in self.layouts for piece in layout)
        return tuple(
            dict.fromkeys(piece for piece in pieces if isinstance(piece, str) and piece.strip())
        )

    def layout(self, order: FimOrder | None = None) -> Layout:
        """Return the layout of `order`, or the best for None or one that was not trained."""
        return dict(self.layouts).get(order or self.orders[0], self.layouts[0][1])

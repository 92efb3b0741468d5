"""Documents as the client sees them: text, versions, positions in UTF-8, 16 and 32."""

from cato_lsp.text.document import Change, Document, Range
from cato_lsp.text.snapshot import Encoding, Position, Snapshot, at_lf, length_of, with_lf

__all__ = [
    "Change",
    "Document",
    "Encoding",
    "Position",
    "Range",
    "Snapshot",
    "at_lf",
    "length_of",
    "with_lf",
]

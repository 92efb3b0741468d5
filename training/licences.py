"""Which licences the corpus takes, read from a package's own metadata."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.message import Message

# Names as they stand in metadata, lower case; a package passes when every licence that it names
# is among them (for "A OR B" one is enough).
PERMISSIVE = re.compile(
    r"(the )?(new |modified )?("
    r"mit(-cmu|-0)?( license)?( \(mit\))?"
    r"|(0|2-clause |3-clause )?bsd([ -][023][ -]clause)?( license)?"
    r"|apache(-2\.0|[ ,]+(license|software license|version|v?2(\.0)?))*"
    r"( with llvm-exception)?"
    r"|psf(-2\.0)?|python software foundation license|python-2\.0"
    r"|isc( license)?|0bsd|zlib|unlicense|cc0-1\.0|hpnd|licenseref-repoze-bsd-derived"
    r"|freely distributable"
    r")"
)


def licence_names(metadata: Message) -> str:
    """The licence as the package states it: expression, else classifiers, else the short field."""
    expression = metadata["License-Expression"]
    if expression:
        return str(expression)
    classifiers = [
        str(value).split("::")[-1].strip()
        for value in metadata.get_all("Classifier", [])
        if value.startswith("License")
    ]
    if classifiers:
        return " AND ".join(classifiers)
    field = str(metadata["License"] or "").strip()
    return field if len(field) <= 60 and "\n" not in field else ""


def npm_licence(manifest: Mapping[str, object]) -> str:
    """The `license` field of a package.json, empty when it is no plain name."""
    licence = manifest.get("license")
    return licence if isinstance(licence, str) else ""


def is_permissive(names: str) -> bool:
    """Whether a licence expression consists of permissive licences only."""
    expression = names.lower().strip()
    if not expression:
        return False
    return any(
        all(PERMISSIVE.fullmatch(part.strip()) for part in re.split(r"\s+and\s+", choice))
        for choice in re.split(r"\s+or\s+", expression)
    )

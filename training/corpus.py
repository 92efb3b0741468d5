"""Reads packages (wheels, npm tarballs, the standard library) into texts by split.

    pip download --no-deps --only-binary=:all: -d WHEELS -r training/packages.txt
    npm pack --pack-destination NPM ...
    python -m training.corpus --wheels WHEELS --npm NPM --out CORPUS

Writes CORPUS/{train,valid,test}.jsonl.gz, one object per file (package, path, language, text),
and CORPUS/packages.tsv: what was taken from each package, and under which licence.
"""

from __future__ import annotations

import argparse
import gzip
import json
import platform
import random
import sysconfig
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from email.parser import BytesParser
from pathlib import Path
from typing import Literal

from training.cleaning import DuplicateFilter, decode, language_of, looks_written
from training.licences import is_permissive, licence_names, npm_licence
from training.metrics import parses

Split = Literal["test", "valid", "train"]
Text = dict[str, str]

# Whole packages; the held-out ones are read first, so that copies of them elsewhere are dropped.
TEST_PYTHON = {
    "boltons",
    "flask",
    "luigi",
    "marshmallow",
    "networkx",
    "rich",
    "tornado",
    "xlsxwriter",
}
TEST_SCRIPT = {"commander", "immer", "koa"}
TEST = frozenset(TEST_PYTHON | TEST_SCRIPT)
VALID = frozenset({"async", "click", "loguru", "simpy", "toolz"})
STANDARD_LIBRARY = "python"
STANDARD_LIBRARY_WEIGHT = 10  # its limit of characters, in limits of a package


@dataclass(frozen=True, slots=True)
class Package:
    """One package's sources, before cleaning: `files` are (path, content)."""

    name: str
    version: str
    licence: str
    files: list[tuple[str, bytes]]

    @property
    def split(self) -> Split:
        """Where the whole package goes."""
        name = self.name.lower()
        return "test" if name in TEST else "valid" if name in VALID else "train"


def read_wheel(path: Path) -> Package:
    """A wheel's sources and metadata."""
    with zipfile.ZipFile(path) as wheel:
        names = sorted(wheel.namelist())
        metadata_name = next(name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = BytesParser().parsebytes(wheel.read(metadata_name))
        files = [(name, wheel.read(name)) for name in names if language_of(name) == "python"]
    return Package(metadata["Name"], metadata["Version"], licence_names(metadata), files)


def read_npm(path: Path) -> Package:
    """An npm tarball's sources and manifest."""
    with tarfile.open(path) as archive:
        members = {m.name: m for m in archive.getmembers() if m.isfile()}
        contents = {
            name: archive.extractfile(member).read()  # type: ignore[union-attr]
            for name, member in sorted(members.items())
            if name == "package/package.json" or language_of(name)
        }
    manifest = json.loads(contents.pop("package/package.json"))
    files = list(contents.items())
    return Package(manifest["name"], manifest["version"], npm_licence(manifest), files)


def read_standard_library() -> Package:
    """The running Python's own library, without site-packages."""
    root = Path(sysconfig.get_paths()["stdlib"])
    files = [
        (str(path.relative_to(root)), path.read_bytes())
        for path in sorted(root.rglob("*.py"))
        if "-packages" not in str(path.relative_to(root)) and language_of(str(path))
    ]
    return Package(STANDARD_LIBRARY, platform.python_version(), "PSF-2.0", files)


def read_packages(wheels: Path, npm: Path) -> Iterator[Package]:
    """Every package: the held-out ones first, then the standard library, then the rest by name."""
    readers = [(path, read_wheel) for path in sorted(wheels.glob("*.whl"))]
    readers += [(path, read_npm) for path in sorted(npm.glob("*.tgz"))]

    def held_out(path: Path) -> bool:
        return path.name.replace("_", "-").split("-")[0].lower() in TEST | VALID

    yield from (read(path) for path, read in readers if held_out(path))
    yield read_standard_library()
    yield from (read(path) for path, read in readers if not held_out(path))


def clean_files(
    package: Package, filter_: DuplicateFilter, limit: int, seed: int
) -> Iterator[Text]:
    """The package's usable files in seeded random order, up to `limit` characters in total."""
    files = package.files[:]
    random.Random(f"{seed} {package.name}").shuffle(files)
    total = 0
    for path, content in files:
        text = decode(content)
        language = language_of(path) or ""
        if text is None or not looks_written(text) or total + len(text) > limit:
            continue
        if (language == "python" and not parses(text)) or not filter_.is_new(text):
            continue
        total += len(text)
        yield {"package": package.name, "path": path, "language": language, "text": text}


def build(wheels: Path, npm: Path, out: Path, limit: int, seed: int) -> None:
    """Write the three splits and the table of packages."""
    out.mkdir(parents=True, exist_ok=True)
    filter_ = DuplicateFilter()
    rows = ["package\tversion\tlicence\tsplit\tfiles\tcharacters"]
    with ExitStack() as stack:
        streams = {
            name: stack.enter_context(gzip.open(out / f"{name}.jsonl.gz", "wt", encoding="utf-8"))
            for name in ("train", "valid", "test")
        }
        for package in read_packages(wheels, npm):
            taken = take(package, filter_, limit, seed)
            streams[package.split].writelines(json.dumps(entry) + "\n" for entry in taken)
            rows.append(table_row(package, taken))
            print(rows[-1], flush=True)
    (out / "packages.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def take(package: Package, filter_: DuplicateFilter, limit: int, seed: int) -> list[Text]:
    """What the corpus takes from one package; nothing when its licence does not allow it."""
    if not is_permissive(package.licence):
        return []
    weight = STANDARD_LIBRARY_WEIGHT if package.name == STANDARD_LIBRARY else 1
    return list(clean_files(package, filter_, weight * limit, seed))


def table_row(package: Package, taken: list[Text]) -> str:
    """One line of packages.tsv."""
    reason = "no usable file" if is_permissive(package.licence) else "licence"
    where = package.split if taken else reason
    characters = sum(len(entry["text"]) for entry in taken)
    fields = (package.name, package.version, package.licence or "not stated", where)
    return "\t".join((*fields, str(len(taken)), str(characters)))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheels", type=Path, required=True)
    parser.add_argument("--npm", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--package-characters", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    limit = arguments.package_characters
    build(arguments.wheels, arguments.npm, arguments.out, limit, arguments.seed)


if __name__ == "__main__":
    main()

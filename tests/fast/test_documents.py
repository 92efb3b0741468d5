"""What the documents name exists: files, classes and functions, rooms, settings, links."""

from __future__ import annotations

import ast
import json
import keyword
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BACKEND = ROOT / "backend"
PACKAGES = {
    "cato_backend": BACKEND / "cato_backend",
    "cato_lab": BACKEND / "cato_lab",
    "cato_lsp": ROOT / "cato_lsp",
}
ARCHITECTURE = ROOT / "ARCHITECTURE.md"
GLOSSARY = ROOT / "docs" / "glossary.md"
PROTOCOL = ROOT / "docs" / "lsp-protocol.md"
MANIFEST = ROOT / "vscode-extension" / "package.json"
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "bench").rglob("*.md")]
)

CODE = re.compile(r"`([^`\n]+)`")
DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)


def section(page: Path, heading: str) -> str:
    """The text below a heading, up to the next heading of the same or a higher level."""
    level = len(heading) - len(heading.lstrip("#"))
    _, found, rest = page.read_text(encoding="utf-8").partition(f"\n{heading}\n")
    assert found, f"{page.name} has no heading {heading!r}"
    return re.split(rf"^#{{1,{level}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def table(text: str) -> Iterator[list[str]]:
    """The cells of each row of the tables in `text`, without heads and rules."""
    lines = text.splitlines()
    for before, line in pairwise(lines):
        if line.startswith("|") and before.startswith("|") and not line.startswith("|--"):
            yield [cell.strip() for cell in line.strip().strip("|").split(" | ")]


# -- names in the code -----------------------------------------------------------------------------


@cache
def defined(module: Path) -> frozenset[str]:
    """Classes, functions, methods, fields and constants of a module, as `Class.member`; of a
    package also what it exports."""
    body = ast.parse(module.read_text(encoding="utf-8")).body
    exported = (
        alias.asname or alias.name
        for node in body
        if isinstance(node, ast.ImportFrom) and module.name == "__init__.py"
        for alias in node.names
    )
    return frozenset((*_names(body), *exported))


def _names(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
    for node in body:
        match node:
            case ast.ClassDef(name=name, body=members):
                yield prefix + name
                yield from _names(members, f"{prefix}{name}.")
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield prefix + name
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                yield prefix + name
            case _:
                pass


def exists(dotted: str) -> bool:
    """Whether `package.module.Class.member` names a module, or what a module defines."""
    package, *parts = dotted.split(".")
    path = PACKAGES[package]
    while parts and (path / parts[0]).is_dir():
        path /= parts.pop(0)
    if parts and (path / f"{parts[0]}.py").is_file():
        path = path / f"{parts.pop(0)}.py"
    else:
        path /= "__init__.py"
    return not parts or ".".join(parts) in defined(path)


def in_the_tree(name: str) -> Path | None:
    """The file or folder that a path in the document means."""
    candidates = (ROOT / name, BACKEND / "cato_backend" / name)
    return next((path for path in candidates if path.exists()), None)


# -- ARCHITECTURE.md -------------------------------------------------------------------------------


def steps() -> list[str]:
    way = section(ARCHITECTURE, "## The way of a request")
    return re.split(r"^\d+\. ", way, flags=re.MULTILINE)[1:]


@pytest.mark.parametrize("step", steps(), ids=lambda step: step[:40])
def test_the_way_of_a_request_names_what_exists(step: str) -> None:
    names = CODE.findall(step)
    paths = {name: in_the_tree(name) for name in names if name.endswith((".py", "/"))}
    missing = [name for name, path in paths.items() if path is None]
    known = {
        name
        for path in paths.values()
        if path is not None and path.suffix == ".py"
        for name in defined(path)
    }
    dotted = (name for name in names if name not in paths and DOTTED.fullmatch(name))
    missing += [name for name in dotted if not keyword.iskeyword(name) and name not in known]
    assert not missing


def test_the_architecture_is_short() -> None:
    lines = ARCHITECTURE.read_text(encoding="utf-8").splitlines()
    way = section(ARCHITECTURE, "## The way of a request").splitlines()
    assert (len(lines) <= 120, len(way) <= 40) == (True, True)


def rooms_told(package: str) -> list[str]:
    rows = table(section(ARCHITECTURE, f"### {package}"))
    return [room for first, *_ in rows for room in CODE.findall(first)]


def rooms_there(package: str) -> set[str]:
    """Modules, and packages with a slash at the end."""
    entries = PACKAGES[package].iterdir()
    folders = {f"{path.parent.name}/" for path in PACKAGES[package].glob("*/__init__.py")}
    return folders | {path.stem for path in entries if path.suffix == ".py"} - {"__init__"}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_room_is_in_the_table_of_its_package(package: str) -> None:
    told = rooms_told(package)
    assert sorted(told) == sorted(rooms_there(package))


def layers() -> dict[str, list[set[str]]]:
    """Package to its layers, the highest first, as `make check` enforces them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {
        contract["containers"][0]: [set(layer.split(" | ")) for layer in contract["layers"]]
        for contract in project["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers" and contract.get("containers", [""])[0] in PACKAGES
    }


@pytest.mark.parametrize("package", layers())
def test_rooms_are_listed_in_the_order_of_the_layers(package: str) -> None:
    depth = {room: index for index, layer in enumerate(layers()[package]) for room in layer}
    told = [depth[room.rstrip("/")] for room in rooms_told(package)]
    assert told == sorted(told)


# -- other pages -----------------------------------------------------------------------------------


def terms() -> list[tuple[str, str]]:
    """Each term of the glossary with each name that bears it."""
    rows = table(GLOSSARY.read_text(encoding="utf-8"))
    return [(term, name) for term, _, bearers, *_ in rows for name in CODE.findall(bearers)]


@pytest.mark.parametrize(("term", "bearer"), terms())
def test_the_glossary_names_what_exists(term: str, bearer: str) -> None:
    assert exists(bearer), f"{term}: there is no {bearer}"


def settings_told() -> dict[str, str]:
    """Setting to its type and default, as the protocol's page has it."""
    rows = table(section(PROTOCOL, "## Settings"))
    return {name.strip("`"): kind for name, kind, *_ in rows}


def settings_declared() -> dict[str, str]:
    """The same of the extension's manifest, which another test compares with the server's code."""
    manifest = json.loads(MANIFEST.read_text(encoding="utf-8"))
    properties = manifest["contributes"]["configuration"]["properties"]
    told = {}
    for name, schema in properties.items():
        limits = f" {schema['minimum']}-{schema['maximum']}" if "minimum" in schema else ""
        told[name.removeprefix("cato.")] = (
            f"{_type(schema)}{limits}, `{json.dumps(schema['default'])}`"
        )
    # Which program to run is the extension's own business.
    return {name: kind for name, kind in told.items() if name != "path"}


def test_the_settings_of_the_protocol_are_those_of_the_server() -> None:
    assert settings_told() == settings_declared()


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    plain = (heading.replace("`", "").lower() for heading in HEADING.findall(text))
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = CODE.sub("", FENCE.sub("", page.read_text(encoding="utf-8")))
    broken = []
    for link in LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name) if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_name_modules_that_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    modules = re.findall(r"python -m ((?:bench|training|cato_\w+)\b[\w.]*)", text)
    places = [ROOT / module.rstrip(".").replace(".", "/") for module in modules]
    assert [
        place for place in places if not (place.is_dir() or place.with_suffix(".py").is_file())
    ] == []


def _type(schema: dict[str, Any]) -> str:
    types: str | list[str] = schema["type"]
    return types if isinstance(types, str) else " or ".join(types)

"""`cato model fetch|list|remove`: models that are fetched by name."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable

from cato_backend.commands.arguments import Parser
from cato_backend.engines.environments import any_environment
from cato_backend.errors import EngineError
from cato_backend.model_store.fetching import FetchProgress, fetch
from cato_backend.model_store.registry import (
    KnownModel,
    StoredModel,
    find_known,
    find_stored,
    known_models,
    leftovers,
    list_stored,
    remove_stored,
    stored_path,
)

SUMMARY = "fetch, list and remove models for `cato serve --model NAME`"
MEGABYTE = 1_000_000


def configure(parser: Parser) -> None:
    """Add the actions."""
    names = ", ".join(model.name for model in known_models())
    default = known_models()[0].name
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    fetching = actions.add_parser("fetch", help="download and convert it, unless it is there")
    fetching.add_argument("name", nargs="?", default=default, help=f"{names} (default: {default})")
    fetching.set_defaults(action=_fetch)
    listing = actions.add_parser("list", help="list what can be fetched, and what is there")
    listing.set_defaults(action=_list)
    removing = actions.add_parser("remove", help="remove it from the cache folder")
    removing.add_argument("name", help=names)
    removing.set_defaults(action=_remove)


def run(arguments: argparse.Namespace) -> int:
    """Run the chosen action."""
    action: Callable[[argparse.Namespace], int] = arguments.action
    return action(arguments)


def fetch_and_show(model: KnownModel) -> StoredModel:
    """Fetch the model unless it is there, with progress on stderr. Raises EngineError."""
    found = find_stored(model)
    if found is not None:
        return found
    printer = FetchPrinter()
    printer.say(f"{model.title}: licence {model.licence}; {model.provenance}")
    printer.say(f"SHA-256 {model.sha256}, {model.bytes // MEGABYTE} MB to download")
    return fetch(model, any_environment().path, printer.show)


def _fetch(arguments: argparse.Namespace) -> int:
    stored = fetch_and_show(_known(arguments.name))
    print(f"{stored.title}, licence {stored.licence}, {stored.format}, {stored.megabytes} MB")
    print(f"  {stored.provenance}, SHA-256 {stored.sha256}")
    print(f"  downloaded from {stored.source}")
    print(f"  {stored.path}\n  serve it: cato serve --model {stored.name}")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    for model in known_models():
        stored = find_stored(model)
        state = f"{stored.megabytes} MB: {stored.path}" if stored else "not fetched"
        print(f"{model.name}  ({model.licence}; {model.bytes // MEGABYTE} MB to download)  {state}")
    for stored in list_stored():
        if (known := find_known(stored.name)) is None or find_stored(known) is None:
            print(f"{stored.name}  of an older CATO, {stored.megabytes} MB: {stored.path}")
    return 0


def _remove(arguments: argparse.Namespace) -> int:
    name: str = arguments.name.lower()
    known = {model.name for model in known_models()} | {model.name for model in list_stored()}
    if name not in known:
        raise EngineError(f"model: got {name!r}, expected one of {', '.join(sorted(known))}")
    folders = [path for path in (stored_path(name), *leftovers(name)) if path.is_dir()]
    if not folders:
        raise EngineError(f"{name} is not there: nothing to remove")
    for path in folders:
        if path == stored_path(name):
            remove_stored(path)
        else:
            shutil.rmtree(path)
        print(f"removed {path}")
    return 0


def _known(name: str) -> KnownModel:
    model = find_known(name)
    if model is None:
        names = ", ".join(model.name for model in known_models())
        raise EngineError(f"model: got {name!r}, expected one of {names}")
    return model


class FetchPrinter:
    """Prints on stderr each step that begins, and its progress at every 10%."""

    def __init__(self) -> None:
        self._tenth = -1

    def show(self, progress: FetchProgress) -> None:
        """Print what of `progress` is worth a line."""
        if progress.what:
            self._tenth = -1
            self.say(progress.what, progress.elapsed_s)
        elif (tenth := progress.done * 10 // max(progress.total, 1)) != self._tenth:
            self._tenth = tenth
            self.say(f"  {_amount(progress)}", progress.elapsed_s)

    def say(self, text: str, elapsed_s: float = 0.0) -> None:
        """Print one line."""
        sys.stderr.write(f"[{elapsed_s:4.0f} s] {text}\n")
        sys.stderr.flush()


def _amount(progress: FetchProgress) -> str:
    if progress.total <= 100:
        return f"{progress.done} %"
    return f"{progress.done // MEGABYTE} of {progress.total // MEGABYTE} MB"

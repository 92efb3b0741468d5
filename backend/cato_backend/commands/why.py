"""`cato why REQUEST_ID`: explains from an event log why a request was late, refused or ended."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cato_backend.commands.arguments import Parser
from cato_backend.errors import ConfigError

if TYPE_CHECKING:
    from cato_backend.explanation.timeline import RequestTimeline
    from cato_backend.scheduling.journal import Entry, NoteEntry, Opening

SUMMARY = "tell from the event log why a request was late, refused or ended"


def configure(parser: Parser) -> None:
    """Add its arguments."""
    parser.description = (
        "Tells what was ahead of a request, where it was sent, what was predicted, and what its "
        "time was made of. The server must run with --event-log; it may still be running."
    )
    parser.epilog = (
        "The request id is in the response header x-request-id. The status of the editor (VS Code: "
        "the status item, Neovim: :CatoStatus) shows that of the latest completion, and `cato "
        "complete --json` prints its own."
    )
    parser.add_argument("request_id", metavar="REQUEST_ID", help="its x-request-id")
    parser.add_argument(
        "--event-log",
        type=Path,
        required=True,
        metavar="FILE",
        help="what `cato serve --event-log` writes; FILE.1 is found beside it",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Explain the latest request of that id."""
    found = _found(arguments.request_id, arguments.event_log.expanduser())
    tell = _tell_json if arguments.json else _tell
    tell(arguments.request_id, found)
    return 0


def _tell(request_id: str, found: list[_Found]) -> None:
    from cato_backend.explanation.text import lines_of, task_lines
    from cato_backend.explanation.timeline import is_call_of

    calls = [each.timeline for each in found if is_call_of(each.timeline.request.id, request_id)]
    latest = found[-1]
    if calls and calls[-1] is latest.timeline:
        print("\n".join(task_lines(request_id, calls)))
        return
    print("\n".join(lines_of(latest.timeline, _moment(latest))))
    others = len(found) - len(calls)
    if others > 1:
        print(f"\n{others} requests of the log have this id; this is the latest of them")


def _tell_json(request_id: str, found: list[_Found]) -> None:
    from cato_backend.explanation.text import as_json
    from cato_backend.explanation.timeline import is_call_of

    told = [as_json(each.timeline, each.opening.epoch) for each in found]
    if is_call_of(found[-1].timeline.request.id, request_id):
        print(json.dumps({"request_id": request_id, "calls": told}))
    else:
        print(json.dumps(told[-1]))


@dataclass(frozen=True, slots=True)
class _Found:
    timeline: RequestTimeline
    opening: Opening


@dataclass(frozen=True, slots=True)
class _Part:
    """One file of a log."""

    path: Path
    opening: Opening


def _found(request_id: str, path: Path) -> list[_Found]:
    """Return the timelines of the id, the latest last. Raises ConfigError."""
    from cato_backend.explanation.timeline_reader import timelines_of

    runs = _runs(path)
    found = [
        _Found(timeline, parts[0].opening)
        for parts in runs
        for timeline in timelines_of(_entries(parts), request_id)
    ]
    if not found:
        raise _missing(request_id, path, runs)
    return found


def _runs(path: Path) -> list[list[_Part]]:
    """Return the file and the one before it, each run of a server by itself, the oldest first."""
    latest, earlier = _part(path), path.with_name(f"{path.name}.1")
    if not earlier.exists():
        return [[latest]]
    before = _part(earlier)
    goes_on = before.opening.run == latest.opening.run
    goes_on = goes_on and before.opening.part + 1 == latest.opening.part
    return [[before, latest]] if goes_on else [[before], [latest]]


def _part(path: Path) -> _Part:
    from cato_backend.scheduling.journal import decode_opening

    try:
        with path.open("rb") as file:
            return _Part(path, decode_opening(file.readline()))
    except OSError as error:
        raise ConfigError(
            f"{path}: {error.strerror}; is the server started with --event-log?"
        ) from error
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def _entries(parts: list[_Part]) -> Iterator[Entry | NoteEntry]:
    from cato_backend.scheduling.journal import entries_of

    for part in parts:
        try:
            with part.path.open("rb") as file:
                file.readline()
                yield from entries_of(file)
        except OSError as error:
            raise ConfigError(f"{part.path}: {error.strerror}") from error
        except ConfigError as error:
            raise ConfigError(f"{part.path}: {error}") from error


def _missing(request_id: str, path: Path, runs: list[list[_Part]]) -> ConfigError:
    """Return the error of an id that begins nowhere in the log."""
    rotated = runs[0][0].opening.part > 1
    why = (
        "the log has rotated, and its beginning is gone (server.event_log_max_bytes)"
        if rotated
        else "requests that were refused before they reached the queue are not in it"
    )
    return ConfigError(f"{path}: no request {request_id!r} begins there; {why}")


def _moment(found: _Found) -> str:
    arrival, epoch = found.timeline.request.arrival, found.opening.epoch
    if epoch is None:
        return f"at {arrival:.3f} s on the server's clock"
    moment = time.localtime(arrival + epoch)
    return f"at {time.strftime('%Y-%m-%d %H:%M:%S', moment)}"

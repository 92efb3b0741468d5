"""The uncommitted changes of a repository, without files that are not sent to a model."""

from __future__ import annotations

import subprocess
from pathlib import Path

from cato_lsp.commands.arguments import CommandFailed
from cato_lsp.session.privacy import Privacy
from cato_lsp.settings.settings import PrivacySettings
from cato_lsp.syntax import open_document
from cato_lsp.syntax.units import Unit
from cato_lsp.tasks.selection import Selection
from cato_lsp.text import Snapshot

_URI = "cato:changes.diff"
_GIT_S = 30.0
_DIFF = ("diff", "HEAD", "--submodule=short")
"""Other formats, which may be configured, print files of submodules, which nothing has checked."""


def read_changes(path: Path | None, settings: PrivacySettings) -> tuple[Snapshot, Selection]:
    """Returns what differs from the last commit in `path`, or in the repository of the current
    folder, as a document and as one unit of it. Raises CommandFailed."""
    place = Path.cwd() if path is None else path.resolve()
    root = Path(_git(_folder(place), "rev-parse", "--show-toplevel").rstrip("\n"))
    only = [] if path is None else ["--", str(place)]
    names = _git(root, *_DIFF, "--name-only", "--no-renames", "-z", *only)
    privacy = Privacy(settings, [root])
    wanted = [name for name in names.split("\0") if name and not privacy.reason(root / name)]
    if not wanted:
        raise CommandFailed("there are no uncommitted changes that may be sent to a model")
    text = _git(root, *_DIFF, "--no-color", "--no-ext-diff", "--", *wanted)
    snapshot = open_document(_URI, "diff", 1, text).snapshot()
    unit = Unit("", "set of uncommitted changes", text, 0, len(text))
    return snapshot, Selection((unit,), "uncommitted changes")


def _folder(place: Path) -> Path:
    return place if place.is_dir() else place.parent


def _git(folder: Path, *arguments: str) -> str:
    """What git prints. Raises CommandFailed."""
    # A name such as `*` stands for that file alone, not for all that it matches as a pattern.
    command = ["git", "--literal-pathspecs", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_GIT_S)
    except FileNotFoundError as error:
        raise CommandFailed("git is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"git did not end within {_GIT_S:.0f} s") from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise CommandFailed(f"git: {said[0] if said else 'it failed'}")
    return done.stdout.decode(errors="replace")

"""`cato NAME ...`: loads the subcommand NAME from the entry-point group `cato.commands`."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points

from cato_backend.commands.arguments import Parser
from cato_backend.commands.overview import GROUP, Command, overview, remedy, unavailable
from cato_backend.errors import CatoError

_CANNOT_WRITE = {errno.ENOSPC, errno.EIO, errno.EFBIG, errno.EDQUOT}


def main(argv: Sequence[str] | None = None) -> int:
    """Return the `cato` command: returns the exit status."""
    argv = sys.argv[1:] if argv is None else list(argv)
    names = {point.name: point for point in entry_points(group=GROUP)}
    if not argv or argv[0] not in names:
        return overview(names, argv)
    try:
        status = _run(argv[0], names, argv[1:])
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader has enough of it; the interpreter would try to write the rest.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        is_full = error.errno in _CANNOT_WRITE
        if error.filename is None and not is_full:
            raise
        # A file that an argument, a setting or the environment names, and that cannot be used.
        where = error.filename or "its output cannot be written"
        sys.stderr.write(f"cato {argv[0]}: {where}: {error.strerror}\n")
        return 1


def _run(name: str, names: Mapping[str, EntryPoint], argv: Sequence[str]) -> int:
    try:
        command: Command = names[name].load()
    except ModuleNotFoundError as error:
        sys.stderr.write(f"cato {name}: {unavailable(error)}\n")
        return 1
    parser = Parser(prog=f"cato {name}", description=command.SUMMARY)
    command.configure(parser)
    try:
        return command.run(parser.parse(argv))
    except ModuleNotFoundError as error:
        missing = remedy(error)
        if missing is None:
            raise
        sys.stderr.write(f"cato {name}: {missing}\n")
        return 1
    except CatoError as error:
        sys.stderr.write(f"cato {name}: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())

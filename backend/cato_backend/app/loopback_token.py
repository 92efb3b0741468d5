"""A token for a server on loopback, on machines that several people use.

Loopback keeps other machines out, not other users of this one. The token lies in a file that its
owner alone can read. The user's editors find it in the discovery file.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
from collections.abc import Iterable
from pathlib import Path

from cato_backend.config import ServerConfig
from cato_backend.errors import ConfigError
from cato_backend.team.database import check_private
from cato_backend.wire.addresses import is_loopback
from cato_backend.wire.state_files import state_dir, write_private

_FIRST_PERSON, _LAST_PERSON = 1000, 59_999
"""User ids of people, as Debian, Fedora and systemd give them."""
_ACCOUNTS = Path("/etc/passwd")
_LOGINS = Path("/var/log/lastlog")
"""The latest login of each account by its id, in records of fixed length (lastlog(8))."""
_LOGIN_BYTES, _LOGIN_TIME_BYTES = 292, 4
_PROCESSES = Path("/proc")
_NO_LOGIN = ("nologin", "false", "sync", "shutdown", "halt")


def loopback_token_path() -> Path:
    """Return the file of the token."""
    return state_dir() / "token"


def other_people(accounts: Iterable[pwd.struct_passwd], own: int) -> list[int]:
    """Return the ids of the accounts that people can log in to, without that of user `own`."""
    return [
        account.pw_uid
        for account in accounts
        if account.pw_uid != own
        and _FIRST_PERSON <= account.pw_uid <= _LAST_PERSON
        and Path(account.pw_shell or "/bin/sh").name not in _NO_LOGIN
    ]


def is_used(account: int) -> bool:
    """Return whether the account has ever been logged in to, or has a process now.

    Container and machine images ship with accounts that are not in use. Where this machine keeps
    no list of logins, every account counts as used.
    """
    return _has_logged_in(account) or _runs_something(account)


def _has_logged_in(account: int) -> bool:
    try:
        with _LOGINS.open("rb") as logins:
            logins.seek(account * _LOGIN_BYTES)
            return any(logins.read(_LOGIN_TIME_BYTES))
    except OSError:
        return True


def _runs_something(account: int) -> bool:
    for process in _PROCESSES.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if process.stat().st_uid == account:
                return True
    return False


def is_of_directory(own: int) -> bool:
    """Return whether the account of user `own` comes from a directory service.

    Such a service has accounts of other people, and need not list them.
    """
    try:
        lines = _ACCOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return True
    return all(line.split(":")[2:3] != [str(own)] for line in lines)


def loopback_token(config: ServerConfig) -> str | None:
    """Return the token of a server on loopback; None where it needs none, or has a file of tokens.

    The token is made at the first call, and kept. Raises ConfigError.
    """
    if config.token_file or not is_loopback(config.host) or config.loopback_token == "never":
        return None
    if config.loopback_token == "auto" and not _is_shared(os.getuid()):
        return None
    return _kept(loopback_token_path())


def _is_shared(own: int) -> bool:
    """Return whether people other than user `own` use this machine."""
    return any(map(is_used, other_people(pwd.getpwall(), own))) or is_of_directory(own)


def _kept(path: Path) -> str:
    try:
        if not path.exists():
            _make(path)
        check_private("server.loopback_token", path)
        token = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"server.loopback_token: {path}: {error.strerror}") from error
    if not token:
        raise ConfigError(f"server.loopback_token: {path} holds no token; remove it")
    return token


def _make(path: Path) -> None:
    """Make the file whole, or leave the one that another process has made meanwhile."""
    made = path.with_suffix(f".{os.getpid()}.new")
    write_private(made, f"{secrets.token_urlsafe(32)}\n")
    try:
        with contextlib.suppress(FileExistsError):
            os.link(made, path)
    finally:
        made.unlink()

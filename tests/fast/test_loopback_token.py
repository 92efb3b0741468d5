"""On a machine that several people use, a server on loopback needs a token."""

from __future__ import annotations

import pwd
from pathlib import Path

import pytest

from cato_backend.app import loopback_token as module
from cato_backend.app.loopback_token import loopback_token, loopback_token_path, other_people
from cato_backend.config import ServerConfig
from cato_backend.errors import ConfigError
from tests.secret_files import secret_file

OWN = 1000


def account(name: str, uid: int, shell: str = "/bin/bash") -> pwd.struct_passwd:
    return pwd.struct_passwd((name, "x", uid, uid, "", f"/home/{name}", shell))


ADA = account("ada", OWN)
SYSTEM = (account("root", 0), account("www-data", 33), account("nobody", 65534))
ALWAYS = ServerConfig(loopback_token="always")


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATO_STATE_DIR", str(tmp_path / "state"))
    accounts = tmp_path / "passwd"
    accounts.write_text(
        f"root:x:0:0:root:/root:/bin/bash\n+\nada:x:{OWN}:1:Ada:/home/ada:/bin/sh\n"
    )
    monkeypatch.setattr(module, "_ACCOUNTS", accounts)
    logins = tmp_path / "lastlog"
    logins.write_bytes(bytes(292 * 1001) + b"\x01" + bytes(291))  # Bob's, and nobody else's.
    monkeypatch.setattr(module, "_LOGINS", logins)


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ((), []),
        ((account("git", 1001, "/usr/sbin/nologin"), account("ci", 1002, "/bin/false")), []),
        ((account("bob", 1001), account("eve", 1002, "")), [1001, 1002]),
    ],
)
def test_other_people_are_the_accounts_with_a_login(
    others: tuple[pwd.struct_passwd, ...], expected: list[int]
) -> None:
    assert other_people((*SYSTEM, ADA, *others), OWN) == expected


@pytest.mark.parametrize(
    ("accounts", "needed"),
    [
        ((*SYSTEM, ADA), False),
        ((*SYSTEM, ADA, account("bob", 1001)), True),
        ((*SYSTEM, ADA, account("ubuntu", 59_990)), False),
    ],
)
def test_by_itself_it_is_needed_where_others_use_their_account(
    monkeypatch: pytest.MonkeyPatch, accounts: tuple[pwd.struct_passwd, ...], needed: bool
) -> None:
    monkeypatch.setattr(module.pwd, "getpwall", lambda: list(accounts))
    monkeypatch.setattr(module.os, "getuid", lambda: OWN)
    assert (loopback_token(ServerConfig()) is not None) is needed
    assert loopback_token(ServerConfig(loopback_token="never")) is None


def test_an_account_with_a_process_counts_as_used(tmp_path: Path) -> None:
    assert module.is_used(tmp_path.stat().st_uid)
    assert module.is_used(1001)
    assert not module.is_used(59_990)


def test_where_no_logins_are_kept_every_account_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "_LOGINS", tmp_path / "none")
    assert module.is_used(59_990)


@pytest.mark.parametrize(
    ("own", "needed"), [(OWN, False), (0, False), (1, True), (1_200_017, True)]
)
def test_an_account_of_a_directory_service_is_one_of_many(
    monkeypatch: pytest.MonkeyPatch, own: int, needed: bool
) -> None:
    """The others are not listed there: Active Directory has too many."""
    monkeypatch.setattr(module.pwd, "getpwall", lambda: [*SYSTEM, account("ada", own)])
    monkeypatch.setattr(module.os, "getuid", lambda: own)
    assert (loopback_token(ServerConfig()) is not None) is needed


def test_it_is_made_once_and_for_its_owner_alone() -> None:
    token = loopback_token(ALWAYS)
    assert token == loopback_token(ALWAYS)
    path = loopback_token_path()
    assert path.read_text() == f"{token}\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("fields", [{"host": "0.0.0.0"}, {"token_file": "/etc/cato/tokens"}])
def test_a_server_with_tokens_of_its_own_has_none(fields: dict[str, str]) -> None:
    config = ServerConfig.model_validate({"loopback_token": "always", **fields})
    assert loopback_token(config) is None
    assert not loopback_token_path().exists()


def test_a_file_that_others_can_read_is_refused_with_the_remedy() -> None:
    loopback_token(ALWAYS)
    loopback_token_path().chmod(0o644)
    with pytest.raises(ConfigError, match=f"run: chmod 600 {loopback_token_path()}"):
        loopback_token(ALWAYS)


def test_an_empty_file_is_refused() -> None:
    loopback_token(ALWAYS)
    secret_file(loopback_token_path(), "\n")
    with pytest.raises(ConfigError, match="holds no token; remove it"):
        loopback_token(ALWAYS)

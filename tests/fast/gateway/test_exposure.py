"""What it takes to listen where other machines can reach."""

from __future__ import annotations

from pathlib import Path

import pytest

from cato_backend.config import ServerConfig
from cato_backend.errors import ConfigError, Unauthorized
from cato_backend.gateway.server import listen
from cato_backend.team.live import LiveTeams, TeamSettings
from cato_backend.team.records import Person, Team
from cato_backend.team.store import TeamStore
from tests.secret_files import secret_file


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, "server.token_file"),
        ({"insecure": True}, "server.token_file"),
        ({"token_file": "empty"}, "server.token_file"),
        ({"token_file": "missing"}, "server.token_file"),
        ({"token_file": "token"}, "server.tls_cert"),
        ({"token_file": "token", "tls_cert": "token"}, "server.tls_key"),
        ({"token_file": "token", "tls_key": "token", "insecure": True}, "server.tls_cert"),
        ({"token_file": "token", "tls_cert": "token", "tls_key": "token"}, "server.tls_cert"),
    ],
)
def test_a_start_is_refused(tmp_path: Path, fields: dict[str, str | bool], named: str) -> None:
    secret_file(tmp_path / "token", "the-token\n")
    secret_file(tmp_path / "empty", "# none yet\n\n")
    here = {k: str(tmp_path / v) if isinstance(v, str) else v for k, v in fields.items()}
    config = ServerConfig.model_validate({"host": "0.0.0.0", "port": 0, **here})
    with pytest.raises(ConfigError) as caught:
        listen(config)
    assert named in str(caught.value)
    assert "the-token" not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_needs_nothing(host: str) -> None:
    listener = listen(ServerConfig(host=host, port=0))
    with listener.socket:
        assert listener.url.startswith(f"http://{host}:")
        assert not listener.credentials.tokens


def test_others_are_let_in_where_the_store_has_a_token(tmp_path: Path) -> None:
    """And never without one, whatever becomes of it."""
    store = TeamStore(tmp_path / "people.sqlite3")
    store.create_team(Team("web"))
    store.create_person(Person("ada", "web"))
    config = ServerConfig(host="0.0.0.0", port=0, insecure=True)
    with pytest.raises(ConfigError, match="cato token create"):
        listen(config, teams=LiveTeams(TeamSettings(store.path)))
    secret, token = store.create_token("laptop", "ada")
    store.revoke(token.id)
    listener = listen(config, teams=LiveTeams(TeamSettings(store.path)))
    with listener.socket:
        assert listener.credentials.needs_token
        for header in (None, f"Bearer {secret}", "Bearer ", "Bearer x"):
            with pytest.raises(Unauthorized):
                listener.credentials.identify(header)
    store.close()

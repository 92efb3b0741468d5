"""What it takes to listen where other machines can reach."""

from __future__ import annotations

from pathlib import Path

import pytest

from cato_backend.config import ServerConfig
from cato_backend.errors import ConfigError
from cato_backend.gateway.server import listen


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
    (tmp_path / "token").write_text("the-token\n")
    (tmp_path / "empty").write_text("# none yet\n\n")
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

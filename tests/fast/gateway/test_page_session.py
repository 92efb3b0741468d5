"""From which pages a session changes something."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request

from cato_backend.config import Config
from cato_backend.errors import Forbidden
from cato_backend.gateway.page_session import authorization_of

COOKIE = "__Host-cato-session=cato_secret"


def asked(origin: str, public_url: str) -> str | None:
    """What a `POST` from a page of this origin is authorized with."""
    oidc = {
        "issuer": "https://id.example.com",
        "client_id": "cato",
        "allowed_domains": ["*"],
        "public_url": public_url,
    }
    headers = {"Host": "10.0.0.7:8700", "Origin": origin, "Cookie": COOKIE}
    request = make_mocked_request("POST", "/v1/tokens", headers)
    return authorization_of(request, Config.model_validate({"oidc": oidc}))


@pytest.mark.parametrize(
    "public_url",
    ["https://cato.example.com", "https://cato.example.com:443/", "https://CATO.example.com"],
)
def test_the_server_s_own_page_is_known_however_its_url_is_written(public_url: str) -> None:
    assert asked("https://cato.example.com", public_url) == "Bearer cato_secret"


@pytest.mark.parametrize(
    "origin",
    [
        # Who is on the way to the browser can answer for the plain address.
        "http://cato.example.com",
        "http://cato.example.com:443",
        "https://cato.example.com:8443",
        "https://cato.example.com.evil.example",
        "https://cato.example.com:x",
        "https://10.0.0.7:8700",
        "null",
        "",
    ],
)
def test_every_other_page_changes_nothing(origin: str) -> None:
    with pytest.raises(Forbidden, match="only from this server's page"):
        asked(origin, "https://cato.example.com")

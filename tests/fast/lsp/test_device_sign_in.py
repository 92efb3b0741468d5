"""The sign-in of a device at a server that answers as it likes."""

from __future__ import annotations

import math
from typing import Any, cast

import pytest

from cato_lsp.backend.client import BackendClient
from cato_lsp.backend.discovery import Origin, Target
from cato_lsp.backend.failures import Refused, refused
from cato_lsp.backend.sign_in import begin

CODES = {
    "device_code": "secret",
    "user_code": "BCDF-GHJK",
    "verification_uri": "https://cato.example.com/#device",
    "verification_uri_complete": "https://cato.example.com/#device=BCDF-GHJK",
    "expires_in": 600,
    "interval": 5,
}


class Server:
    """Stands for the client of a server with these answers."""

    target = Target("https://cato.example.com", None, Origin.SETTINGS)

    def __init__(self, **codes: object) -> None:
        self._codes = {**CODES, **codes}

    async def ask(self, _method: str, path: str, _body: object = None) -> Any:
        if path == "/v1/sign-in":
            return {"device": {"code": "/v1/device/code", "token": "/v1/device/token"}}
        return self._codes


def client(**codes: object) -> BackendClient:
    return cast("BackendClient", Server(**codes))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("user_code", "BCDF\x1b[2J"),
        ("verification_uri", "https://cato.example.com/\x1b]8;;"),
        ("verification_uri_complete", "https://cato.example.com/\nOpen"),
        ("verification_uri_complete", "file:///etc/passwd"),
        ("interval", "soon"),
    ],
)
async def test_what_a_terminal_would_obey_is_not_shown(field: str, value: str) -> None:
    with pytest.raises(Refused, match="answers a sign-in in another way"):
        await begin(client(**{field: value}), "cato")


@pytest.mark.parametrize("said", [0, -1, math.nan])
async def test_a_server_is_not_asked_without_pause(said: float) -> None:
    assert (await begin(client(interval=said), "cato")).interval_s >= 1


@pytest.mark.parametrize("said", [math.inf, math.nan])
async def test_a_code_is_not_waited_for_without_end(said: float) -> None:
    assert (await begin(client(expires_in=said), "cato")).expires_s <= 3600


def test_a_refusal_is_shown_without_what_a_terminal_would_obey() -> None:
    error = {"message": "no\x1b[2J room\nfor \u202eyou", "code": "full\x07"}
    failure = refused({"error": error}, status=429)
    assert str(failure).isprintable()
    assert str(failure).startswith("no [2J room for ")
    assert failure.code == "full "

"""A server to which people sign in, and a person who is there already and confirms codes."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from cato_backend.team.records import Person, Team
from cato_backend.team.store import TeamStore
from tests.e2e.backend import Backend, serve

# No provider is asked: the person's token stands for their session in the browser.
_CONFIG = """
[oidc]
issuer = "http://127.0.0.1:1"
client_id = "cato"
allowed_domains = ["*"]
"""


@contextmanager
def signing_in(folder: Path, reply: str) -> Generator[Backend]:
    """Yield the server; its `token` is Ada's."""
    store = TeamStore(folder / "backend-state/team/team.sqlite3")
    store.create_team(Team("web"))
    store.create_person(Person("ada", "web"))
    secret = store.create_token("first", "ada").secret
    store.close()
    with serve(folder, reply, more=_CONFIG) as backend:
        backend.token = secret
        yield backend


def confirm(backend: Backend, code: str) -> None:
    """Confirm a device as Ada, as the page does."""
    headers = {"authorization": f"Bearer {backend.token}", "content-type": "application/json"}
    url = f"{backend.url}/v1/sign-in/devices/{code}"
    request = urllib.request.Request(url, json.dumps({"confirmed": True}).encode(), headers)
    urllib.request.urlopen(request, timeout=10).close()

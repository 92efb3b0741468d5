"""The lines that `cato serve` prints can be copied: the host, the token."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from cato_backend.app.greeting import greeting, reachable, token_command
from cato_backend.app.loopback_token import loopback_token
from cato_backend.config import ServerConfig
from tests.secret_files import secret_file


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATO_STATE_DIR", str(tmp_path / "the state"))


def printed_by(shell: str) -> str:
    done = subprocess.run(["sh", "-c", f'printf %s "{shell}"'], capture_output=True, text=True)
    return done.stdout


@pytest.mark.parametrize(
    "text",
    ["the-token\n", "# ada\nthe-token\nother\n", "\n  \n  # two\n\t# three\nthe-token\n# x\n"],
)
def test_the_token_is_the_first_of_the_file_and_no_comment(tmp_path: Path, text: str) -> None:
    file = secret_file(tmp_path / "tokens of ada's team", text)
    command = token_command(ServerConfig(token_file=str(file)), needed=True)
    assert printed_by(command) == "the-token"
    assert "the-token" not in greeting("http://127.0.0.1:1", command, found_by_editors=True)


def test_the_token_of_loopback_is_that_of_its_file() -> None:
    config = ServerConfig(loopback_token="always")
    assert printed_by(token_command(config, needed=True)) == loopback_token(config)


def test_a_token_of_the_store_is_known_to_its_person_alone() -> None:
    command = token_command(ServerConfig(loopback_token="never"), needed=True)
    said = greeting("http://127.0.0.1:1", command, found_by_editors=True)
    assert 'Bearer $CATO_BACKEND_TOKEN"' in said
    assert "cato token create" in said


def test_no_token_is_named_where_none_is_needed() -> None:
    command = token_command(ServerConfig(), needed=False)
    said = greeting("http://127.0.0.1:1", command, found_by_editors=True)
    assert "Bearer" not in said
    assert "oken " not in said


def test_the_body_of_the_example_is_json() -> None:
    said = greeting("http://127.0.0.1:1", "", found_by_editors=True)
    found = re.search(r"-d '(.+)'$", said, re.MULTILINE)
    assert found is not None
    assert json.loads(found[1])["prompt"].endswith("file:\n        return")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://0.0.0.0:8700", "https://gpu:8700"),
        ("http://[::]:8700", "http://gpu:8700"),
        ("http://127.0.0.1:8700", "http://127.0.0.1:8700"),
        ("https://10.0.0.7:8700", "https://10.0.0.7:8700"),
        ("http://[::1]:8700", "http://[::1]:8700"),
    ],
)
def test_the_host_is_one_that_others_reach(url: str, expected: str) -> None:
    assert reachable(url, "gpu") == expected

"""docs/deploy.md and docs/cato.service: what they tell people to write is what runs."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import ssl
import subprocess
import sys
import tomllib
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cato_backend.config import parse_config
from tests.e2e.backend import fake_vllm, free_port
from tests.e2e.neovim.editor import wait_for
from tests.secret_files import secret_file

DOCS = Path(__file__).parents[2] / "docs"
UNIT = DOCS / "cato.service"
TOKEN = "a-token-for-the-deployment-test"


def exec_start() -> list[str]:
    """The command line of the unit."""
    joined = UNIT.read_text().replace("\\\n", " ")
    found = re.search(r"^ExecStart=(.*)$", joined, re.MULTILINE)
    assert found is not None
    return shlex.split(found[1])


def credentials(folder: Path) -> None:
    """The three files that the unit loads, with a certificate for localhost."""
    secret_file(folder / "tokens", f"# ada\n{TOKEN}\n")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", str(folder / "tls.key"), "-out", str(folder / "tls.crt")),
        ],
        check=True,
        capture_output=True,
    )


@contextmanager
def service(folder: Path) -> Generator[str, None, None]:
    """The unit's own command in `folder`, on a free port; yields its address."""
    credentials(folder)
    with fake_vllm("\n    return a - b\n", itl_ms=5) as replica:
        (folder / "cato.toml").write_text(f'[[replicas]]\nurl = "{replica.url}"\n')
        port = str(free_port())
        own = {"${CREDENTIALS_DIRECTORY}": str(folder), "/etc/cato": str(folder), "8700": port}
        _, *arguments = (replaced(argument, own) for argument in exec_start())
        command = [sys.executable, "-m", "cato_backend", *arguments]
        environment = {**os.environ, "CATO_STATE_DIR": str(folder)}
        with subprocess.Popen(command, env=environment) as process:
            try:
                yield f"https://localhost:{port}"
            finally:
                process.terminate()


def replaced(text: str, own: dict[str, str]) -> str:
    for written, here in own.items():
        text = text.replace(written, here)
    return text


def status(url: str, token: str, authority: Path) -> int:
    """The HTTP status of a GET, 0 where nothing answers yet."""
    request = urllib.request.Request(url, headers={"authorization": f"Bearer {token}"})
    trust = ssl.create_default_context(cafile=str(authority))
    try:
        with urllib.request.urlopen(request, timeout=5, context=trust) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def test_the_unit_serves_tls_and_only_to_those_with_a_token(tmp_path: Path) -> None:
    with service(tmp_path) as url:
        authority = tmp_path / "tls.crt"
        wait_for("the service", lambda: status(f"{url}/health", "", authority) == 200)
        assert status(f"{url}/v1/models", "", authority) == 401
        assert status(f"{url}/v1/models", TOKEN, authority) == 200


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("NO SYSTEMD, the unit is not verified")
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/cato/bin/cato", sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_documented_configurations_are_valid() -> None:
    blocks = re.findall(r"^```toml\n(.*?)^```$", (DOCS / "deploy.md").read_text(), re.M | re.S)
    assert blocks
    for block in blocks:
        parse_config(tomllib.loads(block))

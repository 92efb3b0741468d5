"""`cato doctor`, as a process: what it makes of certificates, schemes, tokens and slow starts."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from aiohttp import web

from cato_lab.emulator import Emulator
from cato_lsp.backend.discovery import keep_token
from tests.contract.gateway.certificate import self_signed
from tests.contract.gateway.serving import environment
from tests.contract.lsp.odd_backend import OddBackend
from tests.contract.lsp.test_commands import cato

_CATO = {"id": "cato", "root": "Qwen2.5-Coder-0.5B", "cato": {"fim_order": "prefix_first"}}


def unavailable(*states: str) -> web.Response:
    """`/health` of a backend whose replicas are in these states."""
    replicas = [{"id": f"r{n}", "state": state} for n, state in enumerate(states)]
    body = {"status": "starting", "message": "no replica is up", "replicas": replicas}
    return web.json_response(body, status=503)


def tls(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """What a server with a certificate of its own needs, and its certificate."""
    certificate, key = self_signed(folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context, certificate


@pytest.mark.parametrize(
    ("states", "status", "said"),
    [
        (("starting",), 2, "wait   backend: no replica is up"),
        (("starting", "starting"), 2, "wait   replica r1: starting: it loads its model"),
        ((), 2, "-> wait until the model is loaded"),
        (("starting", "failed"), 1, "BROKEN replica r1: failed"),
        (("down",), 1, "BROKEN backend: no replica is up"),
    ],
)
async def test_a_model_that_loads_is_told_from_a_broken_one(
    tmp_path: Path, states: tuple[str, ...], status: int, said: str
) -> None:
    async with OddBackend() as backend:
        backend.replies["/health"] = lambda: unavailable(*states)
        found = await cato(tmp_path, "doctor", "--url", backend.url)
    assert said in found.out
    assert found.status == status


async def test_an_untrusted_certificate_is_told_from_a_dead_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, certificate = tls(tmp_path)
    async with OddBackend(tls=context) as backend:
        untrusted = await cato(tmp_path, "doctor", "--url", backend.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        trusted = await cato(tmp_path, "doctor", "--url", backend.url)
        misnamed = await cato(
            tmp_path, "doctor", "--url", backend.url.replace("localhost", "127.0.0.1")
        )
    assert "its certificate is not trusted: self-signed certificate" in untrusted.out
    assert "-> set SSL_CERT_FILE" in untrusted.out
    assert trusted.status == 0, trusted.out
    assert "its certificate is for another name" in misnamed.out
    dead = await cato(tmp_path, "doctor", "--url", backend.url)
    assert "the connection was refused" in dead.out
    assert "-> is the server running?" in dead.out


async def test_http_and_https_are_told_apart(tmp_path: Path) -> None:
    context, _ = tls(tmp_path)
    async with OddBackend(tls=context) as backend:
        plain = await cato(tmp_path, "doctor", "--url", backend.url.replace("https", "http"))
    assert "-> does it want https://?" in plain.out
    async with OddBackend() as backend:
        encrypted = await cato(tmp_path, "doctor", "--url", backend.url.replace("http", "https"))
        backend.replies["/health"] = lambda: web.Response(
            text="The plain HTTP request was sent to HTTPS port", status=400
        )
        behind_nginx = await cato(tmp_path, "doctor", "--url", backend.url)
    assert "-> try http:// in backend.url" in encrypted.out
    assert "the server wants https://" in behind_nginx.out


async def test_an_unneeded_token_is_reported(tmp_path: Path, fake: Emulator) -> None:
    found = await cato(tmp_path, "doctor", "--url", fake.url, "--token", "s3cret-token")
    assert "note   token: the backend needs none" in found.out
    assert "-> unset CATO_BACKEND_TOKEN" in found.out
    assert "s3cret" not in found.out
    without = await cato(tmp_path, "doctor", "--url", fake.url)
    assert " token: " not in without.out


async def test_an_unneeded_sign_in_is_reported(
    tmp_path: Path, fake: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CATO_STATE_DIR", environment(tmp_path)["CATO_STATE_DIR"])
    keep_token(fake.url, "s3cret-token")
    found = await cato(tmp_path, "doctor", "--url", fake.url)
    assert "note   token: the backend needs none" in found.out
    assert "-> run `cato sign-out`" in found.out
    assert "s3cret" not in found.out


async def test_the_model_is_named_with_its_size_and_what_is_better(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("def add(a, b):\n    return ")
    async with OddBackend() as backend:
        backend.replies["/v1/models"] = lambda: web.json_response({"data": [_CATO]})
        found = await cato(tmp_path, "doctor", "--url", backend.url)
        completed = await cato(tmp_path, "complete", f"{tmp_path}/x.py:2", "--url", backend.url)
    assert "note   model: Qwen2.5-Coder-0.5B, 500M parameters: " in found.out
    assert "-> the model is small: for better suggestions serve a larger code model" in found.out
    assert "by Qwen2.5-Coder-0.5B, 500M parameters" in completed.err
    assert "[the model is small" in completed.err

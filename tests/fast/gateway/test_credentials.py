"""Files of tokens and certificates: what is read of them, and what stays valid when they break."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from cato_backend.config import ServerConfig
from cato_backend.errors import ConfigError, Unauthorized
from cato_backend.gateway.credentials import Credentials, Tokens, read_certificate, read_tokens
from tests.contract.gateway.certificate import self_signed
from tests.secret_files import secret_file


@pytest.mark.parametrize(
    "data",
    [
        b"alice\nbob\n",
        b"alice\nbob",
        b"\xef\xbb\xbfalice\nbob\n",
        b"alice\r\nbob\r\n",
        b"alice\rbob\r",
        b"\xef\xbb\xbf# ours\r\n\r\nalice\r\n\t# a note\r\n   bob  \r\n",
        b"   # indented\n\n \t \nalice\n#bob-was-here\nbob\n",
        b"alice\n\xef\xbb\xbfbob\n",
        "alice\r\nbob\r\n".encode("utf-16"),
        b"\xfe\xff" + "alice\nbob\n".encode("utf-16-be"),
    ],
)
def test_tokens_are_read_as_any_editor_writes_them(tmp_path: Path, data: bytes) -> None:
    tokens = token_file(tmp_path, data)
    assert len(tokens) == 2
    assert tokens.first == "alice"
    assert tokens.tenant("Bearer alice") != tokens.tenant("Bearer bob")
    for wrong in ("Bearer", "Bearer #", "Bearer # ours", "Bearer \ufeffalice", "Bearer bob-was"):
        with pytest.raises(Unauthorized):
            tokens.tenant(wrong)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "holds no token"),
        (b"# none\n \n", "holds no token"),
        (b"\xef\xbb\xbf", "holds no token"),
        (b"alice\nthe secret\n", "line 2: expected one token, without spaces"),
        (b"\xff\xfe\xff", "utf-16"),
        (b"ali\xffce\n", "utf-8"),
    ],
)
def test_a_file_without_usable_tokens_is_refused(tmp_path: Path, data: bytes, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        token_file(tmp_path, data)
    assert "server.token_file" in str(caught.value)
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)


def token_file(folder: Path, data: bytes) -> Tokens:
    secret_file(folder / "tokens", data)
    return read_tokens(folder / "tokens")


def test_a_key_with_a_passphrase_is_refused_without_a_question(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    encrypted = tmp_path / "encrypted.pem"
    subprocess.run(
        ["openssl", "ec", "-in", str(key), "-out", str(encrypted), "-aes128", "-passout", "pass:x"],
        check=True,
        capture_output=True,
    )
    config = ServerConfig(tls_cert=str(certificate), tls_key=str(encrypted))
    with pytest.raises(ConfigError, match="key is encrypted"):
        read_certificate(config)


def test_a_key_that_everybody_can_read_is_refused(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    key.chmod(0o644)
    with pytest.raises(ConfigError, match=rf"server\.tls_key: .*run: chmod 600 {key}"):
        read_certificate(ServerConfig(tls_cert=str(certificate), tls_key=str(key)))


@pytest.mark.parametrize("broken", ["empty", "garbage", "gone", "of another key", "unreadable"])
def test_a_broken_certificate_does_not_replace_the_former(tmp_path: Path, broken: str) -> None:
    certificate, key = self_signed(tmp_path)
    credentials = Credentials(ServerConfig(tls_cert=str(certificate), tls_key=str(key)))
    former = credentials.tls
    assert former is not None
    match broken:
        case "empty":
            certificate.write_text("")
        case "garbage":
            key.write_text("-----BEGIN PRIVATE KEY-----\nno\n-----END PRIVATE KEY-----\n")
        case "gone":
            key.unlink()
        case "of another key":
            (tmp_path / "other").mkdir()
            _, other = self_signed(tmp_path / "other")
            other.replace(key)
        case "unreadable":
            key.unlink()
            key.mkdir()
    assert "the former certificate stays in use" in credentials.reload()[1]
    assert credentials.tls is former


def test_a_new_certificate_is_for_new_connections(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    credentials = Credentials(ServerConfig(tls_cert=str(certificate), tls_key=str(key)))
    former = credentials.tls
    self_signed(tmp_path)
    assert credentials.reload()[1] == f"certificate: {certificate}"
    assert credentials.tls is not former


def test_without_files_there_is_nothing_to_reload() -> None:
    credentials = Credentials(ServerConfig(), ("own",))
    assert credentials.reload() == ["tokens: no server.token_file to read", "certificate: none"]
    assert credentials.tokens.first == "own"
    assert credentials.tls is None


async def test_tokens_follow_their_file(tmp_path: Path) -> None:
    """Written in place, replaced, behind a link that is turned, gone and back."""
    real, other, link = (tmp_path / name for name in ("real", "other", "link"))
    secret_file(real, "first\n")
    link.symlink_to(real)
    credentials = Credentials(ServerConfig(token_file=str(link)))
    news: asyncio.Queue[str] = asyncio.Queue()
    watching = asyncio.create_task(credentials.watch(news.put_nowait))

    async def told(words: str, valid: str) -> None:
        async with asyncio.timeout(5):
            assert words in await news.get()
        assert credentials.tokens.first == valid

    real.write_text("second\nthird\n")
    await told("tokens: 2 in", "second")
    secret_file(tmp_path / "draft", "fourth\n")
    os.replace(tmp_path / "draft", real)
    await told("tokens: 1 in", "fourth")
    secret_file(other, "fifth\n")
    (tmp_path / "turned").symlink_to(other)
    os.replace(tmp_path / "turned", link)
    await told("tokens: 1 in", "fifth")
    other.write_text("# none\n")
    await told("holds no token; write one a line; the 1 former tokens stay valid", "fifth")
    other.unlink()
    await told("No such file", "fifth")
    secret_file(other, "sixth\n")
    await told("tokens: 1 in", "sixth")
    assert news.empty()
    watching.cancel()

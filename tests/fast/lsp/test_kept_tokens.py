"""Tokens of sign-ins, each for one backend."""

from __future__ import annotations

from pathlib import Path

import pytest

from cato_lsp.backend.discovery import (
    UntrustedTokens,
    forget_token,
    keep_token,
    kept_token,
    kept_tokens_path,
    locate,
)
from cato_lsp.settings.settings import BackendSettings

HERE, THERE = "https://gpu.example.com:8700", "https://gpu.example.org:8700"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATO_STATE_DIR", str(tmp_path))


def test_a_token_is_for_one_address_and_a_setting_comes_first() -> None:
    keep_token(HERE, "ours")
    keep_token(THERE, "theirs")
    assert kept_tokens_path().stat().st_mode & 0o777 == 0o600

    def token(**settings: str) -> str | None:
        target = locate(BackendSettings(**settings))
        return target and target.token

    assert token(url=HERE) == "ours"
    assert token(url=THERE) == "theirs"
    assert token(url="https://gpu.example.com") is None
    assert token(url=HERE, token="set") == "set"
    assert token() is None
    forget_token(HERE)
    assert (kept_token(HERE), kept_token(THERE)) == (None, "theirs")


@pytest.mark.parametrize("content", ["", "[]", '"x"', "{"])
def test_a_file_that_is_not_ours_is_named(content: str) -> None:
    kept_tokens_path().write_text(content)
    kept_tokens_path().chmod(0o600)
    with pytest.raises(UntrustedTokens, match=r"sign-ins\.json"):
        kept_token(HERE)


def test_a_file_that_all_can_read_is_not_used() -> None:
    keep_token(HERE, "ours")
    kept_tokens_path().chmod(0o644)
    with pytest.raises(UntrustedTokens, match="chmod 600"):
        kept_token(HERE)

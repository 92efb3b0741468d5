"""The file with the token of a server that is measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from cato_backend.commands.profile_subject import token_in
from cato_backend.errors import ConfigError
from tests.secret_files import secret_file


def test_a_token_is_read_from_a_file_that_its_owner_alone_can_read(tmp_path: Path) -> None:
    file = secret_file(tmp_path / "token", "s3cret\n")
    assert token_in(file) == "s3cret"
    assert token_in(None) is None
    file.chmod(0o644)
    with pytest.raises(ConfigError, match=f"--token-file: .*run: chmod 600 {file}"):
        token_in(file)
    with pytest.raises(ConfigError, match="No such file"):
        token_in(tmp_path / "none")

"""What `cato doctor` makes of the stored counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from cato_lsp.commands.doctor import check_history
from cato_lsp.session import history
from cato_lsp.session.usage import Usage


def test_the_prefix_hit_rate_is_told_of_all_sessions_and_the_last(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CATO_STATE_DIR", str(tmp_path))
    assert "not known yet" in str(check_history())
    for session, cached in (("a", 0), ("b", 100), ("b", 150)):
        usage = Usage(asked=4, from_cache=12, told=1, prompt_tokens=200, cached_tokens=cached)
        history.append({"event": "usage", "session": session, **usage.body()})
    told = str(check_history())
    assert "38% of prompt tokens" in told
    assert "75% in the last session" in told
    assert "75% of answers needed no request" in told

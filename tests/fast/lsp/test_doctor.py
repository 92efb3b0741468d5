"""What `cato doctor` makes of the stored counts, and of what engines were started with."""

from __future__ import annotations

from pathlib import Path

import pytest

from cato_lsp.backend.replicas import read_replicas
from cato_lsp.commands.doctor import check_history, check_replicas
from cato_lsp.session.counts import Usage
from cato_lsp.suggestions import history


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


ADVISED = {"max_num_batched_tokens": 2048, "long_prefill_token_threshold": 704}


@pytest.mark.parametrize(
    ("told", "advised", "said"),
    [
        (None, ADVISED, "--long-prefill-token-threshold 704 --max-num-batched-tokens 2048"),
        (None, None, "--long-prefill-token-threshold 512"),
        ({**ADVISED, "long_prefill_token_threshold": 0}, ADVISED, "holds up all others"),
        ({**ADVISED, "long_prefill_token_threshold": 2048}, ADVISED, "longer than a completion"),
        ({**ADVISED, "long_prefill_token_threshold": 64}, ADVISED, "computed slowly"),
        (ADVISED, ADVISED, "ok     replica r: a long prompt takes at most 704 of 2,048"),
        (ADVISED, {**ADVISED, "long_prefill_token_threshold": 0}, "its context is too short"),
    ],
)
def test_the_doctor_says_how_an_engine_should_be_started(
    told: object, advised: object, said: str
) -> None:
    entry = {"id": "r", "state": "up", "step_limits": {"told": told, "advised": advised}}
    found = "\n".join(map(str, check_replicas(read_replicas({"replicas": [entry]}))))
    assert said in found


@pytest.mark.parametrize("limits", [None, {}, [1], {"told": {"max_num_batched_tokens": "many"}}])
def test_of_a_backend_that_says_nothing_of_steps_nothing_is_said(limits: object) -> None:
    entry = {"id": "r", "state": "up", "step_limits": limits}
    (report,) = read_replicas({"replicas": [entry]})
    assert report.steps is None or report.steps.told is None

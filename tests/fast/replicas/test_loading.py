"""What is taken from an engine's log."""

from __future__ import annotations

from pathlib import Path

from cato_backend.replicas.readiness import LoadReader

LOG = """\
(APIServer pid=7) INFO 11-22 17:18:14 [model.py:733] Resolved architecture: Qwen2ForCausalLM
(APIServer pid=7) WARNING 11-22 17:18:14 [vllm.py:1703] Enforce eager set
/x/y.py:138: FutureWarning: `torch.distributed.reduce_op` is deprecated
(Worker pid=9) INFO 11-22 17:18:32 [cpu_model_runner.py:68] Starting to load model /m...
(Worker pid=9) INFO 11-22 17:18:32 [default_loader.py:501] Loading weights took 0.01 seconds
"""


def test_news_come_once_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "log"
    reader = LoadReader(path)
    assert reader.news() == []
    path.write_text(LOG[:60])
    assert reader.news() == []
    path.write_text(LOG)
    assert reader.news() == [
        "model architecture Qwen2ForCausalLM",
        "loading the weights",
        "weights loaded in 0.01 s",
    ]
    assert reader.news() == []


def test_last_lines_are_the_telling_ones(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text(LOG + "\n\n")
    assert LoadReader(path).last_lines().splitlines() == [
        "  Resolved architecture: Qwen2ForCausalLM",
        "  Enforce eager set",
        "  Starting to load model /m...",
        "  Loading weights took 0.01 seconds",
    ]


def test_without_a_log(tmp_path: Path) -> None:
    assert LoadReader(tmp_path / "none").last_lines() == "  (no log)"

"""How large a model is: by its files, else by its name."""

from __future__ import annotations

from pathlib import Path

from cato_backend.config import parse_config
from cato_backend.fleet.learning import ModelSizes


def test_local_models_are_counted_and_others_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    models = [
        {"name": "small", "path": "embedded"},
        {"name": "unread-3b", "path": str(tmp_path)},
        {"name": "hub", "path": "Qwen/Qwen2.5-Coder-7B"},
    ]
    sizes = ModelSizes.of(parse_config({"models": models}))
    assert sizes.of_model("small") == 5_046_272
    assert sizes.of_model("unread-3b") == 3_000_000_000
    assert sizes.of_model("hub") == 7_000_000_000
    assert sizes.of_model("elsewhere-1.5B") == 1_500_000_000
    assert sizes.of_model("elsewhere") is None

"""The trainer's arithmetic; skipped where `training/requirements.txt` is not installed."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
np = pytest.importorskip("numpy")
pytest.importorskip("safetensors")
pytest.importorskip("tokenizers")

from cato_backend.embedded_model import verified_folder  # noqa: E402
from training.checkpoint import load_exported  # noqa: E402
from training.decoding import next_logits  # noqa: E402
from training.export import export, split_shards  # noqa: E402
from training.make_seed_model import standard_library  # noqa: E402
from training.model import Qwen2  # noqa: E402
from training.ngram import KneserNey  # noqa: E402
from training.optimiser import orthogonalised  # noqa: E402
from training.presets import PRESETS  # noqa: E402
from training.tokenizer import SPECIALS, train_tokenizer  # noqa: E402
from training.train import rate_scale  # noqa: E402

TINY = PRESETS["tiny"].shape
ROOT = Path(__file__).parents[2]


def test_cached_decoding_agrees_with_the_whole_pass() -> None:
    model = Qwen2(TINY)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    tokens = list(range(10, 30))
    cache: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
    with torch.no_grad():
        next_logits(model, tokens[:-2], cache)
        for token in tokens[-2:]:
            stepped = next_logits(model, [token], cache)
        whole = model(torch.tensor([tokens]))[0, -1]
    torch.testing.assert_close(stepped, whole, atol=1e-4, rtol=1e-4)


def test_no_token_sees_the_future() -> None:
    model = Qwen2(TINY)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    row = torch.arange(20)[None]
    changed = row.clone()
    changed[0, -1] = 99
    torch.testing.assert_close(model(row)[0, :-1], model(changed)[0, :-1])


def test_untrained_loss_is_that_of_a_uniform_guess() -> None:
    row = torch.randint(0, TINY.vocab, (4, 33))
    loss = Qwen2(TINY).loss(row[:, :-1], row[:, 1:], ignore=-100).item()
    assert loss == pytest.approx(math.log(TINY.vocab), rel=0.05)


@pytest.mark.parametrize("shape", [(32, 32), (32, 96), (96, 32)])
def test_orthogonalised_matrices_have_even_singular_values(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonalised(torch.randn(shape)))
    assert values.min() > 0.5
    assert values.max() < 1.5


def test_learning_rate_rises_holds_and_falls() -> None:
    scales = [rate_scale(step, steps=100, warmup=10, decay=20) for step in range(100)]
    assert scales[0] == 0.1
    assert set(scales[9:80]) == {1.0}
    assert scales[99] == 1 / 20
    assert rate_scale(120, steps=100, warmup=10, decay=20) == 0


def test_kneser_ney_is_a_distribution_and_knows_what_it_saw() -> None:
    row = [1, 2, 3, 4, 5, 1, 2, 3, 4, 6, 1, 2, 3, 4, 5]
    model = KneserNey(np.array([row] * 2, dtype=np.uint16), 16)
    for context in ([], [1], [1, 2, 3, 4], [9, 9, 9, 9]):
        probabilities = model.probabilities(context)
        assert probabilities.sum() == pytest.approx(1, abs=1e-6)
        single = [model.probability(context, token) for token in range(16)]
        assert single == pytest.approx(list(probabilities), abs=1e-6)
    assert model.probabilities([1, 2, 3, 4]).argmax() == 5


def test_shards_respect_their_limit() -> None:
    tensors = {f"t{n}": torch.zeros(100) for n in range(10)}
    shards = split_shards(tensors, limit_bytes=1000)
    assert [len(shard) for shard in shards] == [2, 2, 2, 2, 2]


def test_export_has_the_names_that_engines_load(tmp_path: Path) -> None:
    tokenizer = train_tokenizer(standard_library(300_000), TINY.vocab)
    assert [tokenizer.id_to_token(n) for n in range(len(SPECIALS))] == list(SPECIALS)
    model, again = Qwen2(TINY), Qwen2(TINY)
    export(model, tokenizer, tmp_path)
    assert verified_folder(tmp_path) == tmp_path
    load_exported(tmp_path, again)
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], tensor.bfloat16().float())
    names = json.loads((tmp_path / "model.safetensors.index.json").read_text())["weight_map"]
    assert "model.layers.1.self_attn.q_proj.bias" in names
    assert "model.layers.1.self_attn.o_proj.bias" not in names
    assert "lm_head.weight" not in names


def train(tmp_path: Path, out: str, steps: int) -> None:
    """The tiny preset for some steps on the rows in `tmp_path/rows`, uncompiled."""
    rows = ["--shards", str(tmp_path / "rows"), "--valid", str(tmp_path / "rows")]
    plan = ["--out", str(tmp_path / out), "--steps", str(steps), "--decay-steps", "1"]
    command = [sys.executable, "-m", "training.train", "--preset", "tiny", "--threads", "1"]
    environment = os.environ | {"TORCH_COMPILE_DISABLE": "1"}
    subprocess.run([*command, *rows, *plan], check=True, cwd=ROOT, env=environment)


def test_a_resumed_run_ends_where_an_unbroken_one_does(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    rows = np.random.default_rng(0).integers(9, 512, (96, 33)).astype(np.uint16)
    np.savez_compressed(tmp_path / "rows" / "shard-0000.npz", rows=rows)
    train(tmp_path, "whole", 3)
    train(tmp_path, "broken", 1)
    train(tmp_path, "broken", 3)
    parts = [
        sorted((tmp_path / name / "checkpoint").glob("part-*")) for name in ("whole", "broken")
    ]
    for left, right in zip(*parts, strict=True):
        assert left.stat().st_size <= 15_000_000
        assert left.read_bytes() == right.read_bytes()

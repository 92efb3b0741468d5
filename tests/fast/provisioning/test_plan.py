"""`cato plan`, and the sizing behind it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cato_backend.commands.arguments import Parser
from cato_backend.errors import ConfigError
from cato_lab.commands import plan
from cato_lab.simulation.reference import REFERENCE
from cato_lab.simulation.sizing import estimate, kinds_of, slice_of
from cato_lab.workloads import DeveloperWorkload, MixWorkload, Poisson

QUICK = ["--seeds", "1", "--duration", "10", "--jobs", "1", "--policy", "least-requests"]


def planned(*words: str) -> int:
    parser = Parser(prog="cato plan")
    plan.configure(parser)
    return plan.run(parser.parse(words))


def test_the_fleet_of_one_gpu(capsys: pytest.CaptureFixture[str]) -> None:
    assert planned("--rate", "8", "--gpu", "h100", *QUICK, "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["validated"] is False
    assert answer["gpu"] == "h100"
    assert answer["replicas"] >= 1
    enough = [fleet["replicas"] for fleet in answer["simulated"] if fleet["enough"]]
    assert min(enough) == answer["replicas"]
    assert 0.8 < answer["simulated"][-1]["classes"]["completion"]["mean"] <= 1


def test_the_table_says_what_it_rests_on(capsys: pytest.CaptureFixture[str]) -> None:
    planned("--rate", "2", "--gpu", "h100", *QUICK)
    said = capsys.readouterr().out
    assert " x h100 with Qwen/Qwen2.5-Coder-7B: 2 requests/s" in said
    assert "unvalidated: measure before you buy" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--developers", "0"), "--developers: got 0, expected at least 1"),
        (("--rate", "-1"), "--rate: got -1.0"),
        (("--rate", "1", "--goodput", "2"), "--goodput: got 2.0"),
        (
            ("--rate", "1", "--gpu", "abacus"),
            r"--gpu, --model: got 'abacus Qwen2.5-Coder-7B'.*h100",
        ),
        (("--rate", "1", "--model", "none"), "--model: got 'none'"),
        (("--rate", "1", "--profile", "nowhere.json"), "nowhere.json: No such file"),
    ],
)
def test_bad_arguments_are_named(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        planned(*words)


def test_more_demand_needs_more() -> None:
    few, many = (
        estimate(MixWorkload(Poisson(rate), 10.0), REFERENCE, 0.9, requests=100)
        for rate in (2.0, 40.0)
    )
    assert few.replicas < many.replicas


def test_what_a_document_repeats_is_cached() -> None:
    kinds = list(kinds_of(DeveloperWorkload(3, 60.0).arrivals(1)))
    arrivals = list(DeveloperWorkload(3, 60.0).arrivals(1))
    whole = sum(arrival.prompt_tokens for arrival in arrivals)
    assert 0.05 * whole < sum(kind.prompt_tokens for kind in kinds) < 0.6 * whole
    assert any(kind.left_s is not None for kind in kinds)


def test_large_teams_are_cut_into_equal_parts() -> None:
    assert slice_of(100, 120) == (100, 1)
    assert slice_of(1000, 120) == (112, 9)
    people, parts = slice_of(121, 120)
    assert people * parts >= 121


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    parser = Parser(prog="cato plan")
    plan.configure(parser)
    with pytest.raises(SystemExit):
        parser.parse(["--help"])
    assert "cato plan --developers 40 --gpu l40s" in " ".join(capsys.readouterr().out.split())
    assert Path(plan.__file__).exists()


SHAPE = {
    "model_type": "llama",
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_hidden_layers": 16,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 8192,
}


def test_any_other_model_is_planned_by_its_config(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "mine" / "config.json"
    config.parent.mkdir()
    config.write_text(json.dumps(SHAPE))
    assert planned("--rate", "2", "--gpu", "h100", "--config", str(config), *QUICK) == 0
    said = capsys.readouterr().out
    assert "1 x h100 with mine: 2 requests/s" in said
    assert "Profile: roofline, unvalidated" in said


def test_a_config_that_is_wrong_or_too_large_is_named(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({**SHAPE, "hidden_size": "wide"}))
    with pytest.raises(ConfigError, match="hidden_size"):
        planned("--rate", "2", "--config", str(config))
    config.write_text(json.dumps({**SHAPE, "num_hidden_layers": 9000}))
    with pytest.raises(ConfigError, match="fits on no single GPU"):
        planned("--rate", "2", "--config", str(config))

"""Which format a model gets, by name, by tokenizer, by configuration."""

from __future__ import annotations

import pytest

from cato_backend.tasks.detection import AUTO, NONE, detect, family_names, probe_texts
from cato_lab.emulator.tokenizer import Tokenizer

NAMES = [
    ("Qwen/Qwen2.5-Coder-7B-Instruct-AWQ", "qwen-coder"),
    ("/models/qwen2.5-coder-1.5b-q4_k_m.gguf/", "qwen-coder"),
    ("Qwen3-Coder-30B-A3B-Instruct-FP8", "qwen3-coder"),
    ("bigcode/starcoder2-3b", "starcoder2"),
    ("deepseek-ai/DeepSeek-Coder-V2-Lite-Base", "deepseek-coder"),
    ("deepseek-coder-6.7b-base", "deepseek-coder"),
    ("codellama/CodeLlama-13b-hf", "codellama"),
    ("google/codegemma-1.1-2b", "codegemma"),
    ("mistralai/Codestral-22B-v0.1", "codestral"),
    ("ibm-granite/granite-8b-code-base-4k", "granite-code"),
    ("ibm-granite/granite-4.0-h-tiny", "granite4"),
    ("ByteDance-Seed/Seed-Coder-8B-Base", "seed-coder"),
    ("cato-embedded", "cato-embedded"),
]

NOT_TRAINED = [
    "codellama/CodeLlama-34b-hf",
    "codellama/CodeLlama-7b-Python-hf",
    "mistralai/Mamba-Codestral-7B-v0.1",
    "infly/OpenCoder-8B-Base",
]

TOKENIZERS = [
    (("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|repo_name|>", "<|file_sep|>"),
     "qwen-coder"),
    (("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|file_separator|>"), "codegemma"),
    (("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|end_of_text|>"), "granite4"),
    (("<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<file_sep>"), "starcoder2"),
    (("<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<|end_of_text|>"), "granite3"),
    (("<fim_prefix>", "<fim_suffix>", "<fim_middle>"), "granite-code"),
    (("[SUFFIX]", "[PREFIX]"), "codestral"),
    (("<[fim-suffix]>", "<[fim-prefix]>", "<[fim-middle]>"), "seed-coder"),
]  # fmt: skip


def probed(model: str, specials: tuple[str, ...]) -> dict[str, list[int]]:
    tokenizer = Tokenizer(specials)
    return {text: tokenizer.encode(text) for text in probe_texts(model)}


@pytest.mark.parametrize(("model", "family"), NAMES)
def test_a_name_decides_where_the_tokenizer_cannot_be_asked(model: str, family: str) -> None:
    found = detect(model, None)
    assert found.format is not None
    assert found.format.name == family


@pytest.mark.parametrize("model", NOT_TRAINED)
def test_a_model_that_was_not_trained_for_it_is_served_prefix_only(model: str) -> None:
    found = detect(model, None)
    assert found.format is None
    assert "not trained" in found.reason
    assert "prefix-only" in found.reason


@pytest.mark.parametrize(("specials", "family"), TOKENIZERS)
def test_an_unknown_name_is_told_by_its_tokenizer(specials: tuple[str, ...], family: str) -> None:
    found = detect("our-fine-tune", probed("our-fine-tune", specials))
    assert found.format is not None
    assert found.format.name == family


def test_a_name_whose_tokens_are_missing_is_served_prefix_only() -> None:
    found = detect("Qwen2.5-Coder-7B", probed("Qwen2.5-Coder-7B", ("<|fim_prefix|>",)))
    assert found.format is None
    assert "<|fim_suffix|>" in found.reason


def test_a_tokenizer_without_known_tokens_is_served_prefix_only() -> None:
    assert detect("phi-4", probed("phi-4", ())).format is None
    assert "prefix-only" in detect("phi-4", None).reason


def test_granite_of_either_generation_is_told_by_its_markers() -> None:
    specials = ("<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<|end_of_text|>")
    found = detect("granite-3.3-8b-base", probed("granite-3.3-8b-base", specials))
    assert found.format is not None
    assert found.format.name == "granite3"


def test_stop_ids_are_those_of_the_tokens_that_end_an_infill() -> None:
    specials = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|endoftext|>")
    tokenizer = Tokenizer(specials)
    found = detect("cato-embedded", probed("cato-embedded", specials))
    assert set(found.stop_token_ids) == {tokenizer.encode(text)[0] for text in specials}


def test_configuration_overrides_the_name() -> None:
    assert detect("cato-embedded", None, NONE).format is None
    named = detect("whatever", None, "starcoder2").format
    assert named is not None
    assert named.name == "starcoder2"
    with pytest.raises(ValueError, match="expected one of auto, none, "):
        probe_texts("whatever", "starcoder9")
    assert AUTO in family_names()

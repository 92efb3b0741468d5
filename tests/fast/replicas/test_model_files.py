"""What a model's folder tells of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cato_backend.replicas.features import ends_turns

CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>{% endfor %}"


def folder_with(path: Path, config: object, template: str = "") -> str:
    (path / "tokenizer_config.json").write_text(json.dumps(config))
    if template:
        (path / "chat_template.jinja").write_text(template)
    return str(path)


@pytest.mark.parametrize(
    ("config", "template", "expected"),
    [
        ({"eos_token": "<|im_end|>"}, CHATML, True),
        ({"eos_token": "<|endoftext|>"}, CHATML, False),
        ({"eos_token": {"content": "<|im_end|>"}, "chat_template": CHATML}, "", True),
        ({"eos_token": "</s>", "chat_template": "{{ content + eos_token }}"}, "", True),
        ({"eos_token": "</s>", "chat_template": [{"template": CHATML}]}, "", False),
        ({"eos_token": "<|im_end|>"}, "", None),
        ({}, CHATML, None),
        ([], CHATML, None),
    ],
)
def test_how_answers_end(
    tmp_path: Path, config: object, template: str, expected: bool | None
) -> None:
    assert ends_turns(folder_with(tmp_path, config, template)) is expected


@pytest.mark.parametrize("root", ["", "Qwen/Qwen2.5-Coder-7B", "/no/such/folder"])
def test_no_folder_here(root: str) -> None:
    assert ends_turns(root) is None

"""What a model's files tell of it, where its server loaded it from a folder of this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

_MOST_BYTES = 1 << 20


def ends_turns(root: str) -> bool | None:
    """Whether the token that ends an answer is the one that ends a turn of the chat template.

    It is for models that were trained on chats; base models carry the template alone. None where
    `root` is no folder here, or its files do not tell.
    """
    folder = Path(root)
    if not root or not folder.is_absolute():
        return None
    config = _read(folder / "tokenizer_config.json")
    template = _template(folder, config)
    end = _text(config.get("eos_token"))
    if not template or not end:
        return None
    return end in template or "eos_token" in template


def _template(folder: Path, config: dict[str, Any]) -> str:
    """In a file of its own, as transformers writes it now, or in the configuration, as before."""
    try:
        return (folder / "chat_template.jinja").read_text(encoding="utf-8")[:_MOST_BYTES]
    except (OSError, UnicodeDecodeError):
        template = config.get("chat_template")
        return json.dumps(template) if template else ""


def _read(file: Path) -> dict[str, Any]:
    try:
        value: Any = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _text(token: object) -> str:
    """A token, which older tokenizers describe by an object."""
    if isinstance(token, dict):
        token = cast("dict[str, object]", token).get("content")
    return token if isinstance(token, str) else ""

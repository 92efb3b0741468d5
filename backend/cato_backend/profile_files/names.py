"""What counts as the same model: a name on a hub, a folder and a file's stem tell one story."""

from __future__ import annotations

import re

_TUNED = re.compile(r"-(instruct|base|it|chat)$")


def model_key(name: str) -> str:
    """The last part of the name in lower case, without `-Instruct` and its kin: fine-tuning leaves
    a model's speed as it was. A quantised one keeps its suffix, because it does not."""
    last = name.rstrip("/").rsplit("/", 1)[-1].lower()
    return _TUNED.sub("", last)


def file_name(model: str) -> str:
    """The name of the model's profile in the folder of a hardware."""
    return f"{model.rstrip('/').rsplit('/', 1)[-1]}.json"

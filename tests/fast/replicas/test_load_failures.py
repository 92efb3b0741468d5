"""The cause of a failed start, told in the first line."""

from __future__ import annotations

import pytest

from cato_backend.replicas.readiness import cause_of


@pytest.mark.parametrize(
    ("end", "cause"),
    [
        ("OSError: We couldn't connect to 'https://huggingface.co' to load", "cannot be reached"),
        ("huggingface_hub.errors.LocalEntryNotFoundError: Cannot find", "cannot be reached"),
        ("[Errno -3] Temporary failure in name resolution", "cannot be reached"),
        ("huggingface_hub.errors.GatedRepoError: 401 Client Error", "HF_TOKEN"),
        ("OSError: a is not a local folder and is not a valid model identifier", "no model"),
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("torch.OutOfMemoryError: CUDA out of memory.", "smaller model"),
    ],
)
def test_a_known_cause_is_named(end: str, cause: str) -> None:
    assert cause in cause_of(f"Traceback (most recent call last):\n  File x\n{end}")


def test_an_unknown_cause_is_left_to_the_log() -> None:
    assert cause_of("ValueError: this model is no model") == ""

"""Why an engine could not load its model, in one line, from the end of its log."""

from __future__ import annotations

import re

_CAUSES = (
    (
        r"couldn't connect to 'https?://|LocalEntryNotFoundError|name resolution|"
        r"Max retries exceeded with url|OfflineModeIsEnabled",
        "the model hub cannot be reached: give the model's folder in place of its name, set "
        "HF_ENDPOINT to a mirror, or check the network",
    ),
    (
        r"GatedRepoError|gated repo|401 Client Error|403 Client Error",
        "the model hub refuses the model: accept its licence there, and set HF_TOKEN",
    ),
    (
        r"RepositoryNotFoundError|is not a valid model identifier|404 Client Error",
        "the model hub has no model of this name",
    ),
    (r"No space left on device", "the disk is full"),
    (
        r"OutOfMemoryError|CUDA out of memory|No available memory for the cache blocks",
        "the memory is too small: serve a smaller model, or a shorter context (max_model_len)",
    ),
)


def cause_of(log_end: str) -> str:
    """The cause that the last lines of an engine's log tell; empty where it is not a known one."""
    return next((cause for words, cause in _CAUSES if re.search(words, log_end)), "")

"""Whether long prompts hold others up on a replica, for `cato doctor`."""

from __future__ import annotations

from cato_lsp.backend.replicas import StepLimits, StepReport
from cato_lsp.commands.findings import Finding, note, ok

_USUAL = StepLimits(step_tokens=2048, prompt_tokens=512)
"""Where too little is known of a replica."""
_TOLERATED = 2
"""Times the advised threshold: less off than this is as good."""


def check_step_limits(hop: str, steps: StepReport) -> Finding:
    """What the replica's engine was started with, against what its speed calls for."""
    told, advised = steps.told, steps.advised or _USUAL
    start = f"start its engine with {advised.flags}"
    if told is None:
        text = "whether a long prompt holds up others is not known: engines do not tell their flags"
        return note(hop, text, f"{start}, and say so in its [[replicas]] (docs/deploy.md)")
    if not advised.prompt_tokens:
        return ok(hop, "its context is too short for prompts that hold up others")
    if not told.prompt_tokens:
        return note(hop, "a long prompt holds up all others until it is computed", start)
    share = f"{told.prompt_tokens:,} of {told.step_tokens:,} tokens of a step"
    if told.prompt_tokens > _TOLERATED * advised.prompt_tokens:
        text = f"a long prompt takes {share}, for longer than a completion can wait"
        return note(hop, text, start)
    if told.prompt_tokens * _TOLERATED < advised.prompt_tokens:
        return note(hop, f"prompts are computed slowly, by {share}", start)
    return ok(hop, f"a long prompt takes at most {share}")

"""The sections about clients: targets of the classes, coding agents, and reports of usage."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated

from pydantic import Field, model_validator

from cato_backend.config.sections import Frozen
from cato_backend.requests import Target
from cato_backend.wire.headers import ALIAS, Task

_PATTERNS = ("claude-*", "gpt-*", "codex-*")
"""What Claude Code and Codex ask for unless they are told another model."""


Milliseconds = Annotated[float, Field(gt=0, le=3_600_000)]


class TargetConfig(Frozen):
    """[targets.TASK]: the target of a task where the client sends no budget."""

    ttft_ms: Milliseconds | None = Field(default=None, description="to the first token")
    e2e_ms: Milliseconds | None = Field(default=None, description="to the last token")
    tpot_ms: Milliseconds | None = Field(
        default=None, description="between two output tokens in the mean, beside ttft_ms"
    )
    worthless_after_ms: Milliseconds | None = Field(
        default=None, description="dropped from the queue after this"
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> TargetConfig:
        if (self.ttft_ms is None) == (self.e2e_ms is None):
            raise ValueError("exactly one of ttft_ms and e2e_ms is expected")
        if self.tpot_ms is not None and self.ttft_ms is None:
            raise ValueError("tpot_ms is expected only beside ttft_ms")
        return self

    def target(self) -> Target:
        """Return the same in seconds."""
        return Target(
            ttft_s=None if self.ttft_ms is None else self.ttft_ms / 1e3,
            e2e_s=None if self.e2e_ms is None else self.e2e_ms / 1e3,
            worthless_after_s=(
                None if self.worthless_after_ms is None else self.worthless_after_ms / 1e3
            ),
            tpot_s=None if self.tpot_ms is None else self.tpot_ms / 1e3,
        )


class TargetsConfig(Frozen):
    """[targets]: one table per task."""

    completion: TargetConfig = TargetConfig(ttft_ms=250, worthless_after_ms=500)
    generation: TargetConfig = TargetConfig(ttft_ms=1000, tpot_ms=40)
    summarization: TargetConfig = TargetConfig(e2e_ms=3000)
    translation: TargetConfig = TargetConfig(e2e_ms=15000)
    agent: TargetConfig = TargetConfig(e2e_ms=120_000)

    def of(self, task: Task) -> Target:
        """Return the target of a task."""
        return self._targets[task]

    @cached_property
    def _targets(self) -> Mapping[Task, Target]:
        """Made once, because every request asks."""
        configs: dict[Task, TargetConfig] = {task: getattr(self, task.value) for task in Task}
        return {task: config.target() for task, config in configs.items()}


class AgentsConfig(Frozen):
    """[agents]: clients of `/v1/messages` and `/v1/responses`."""

    models: dict[str, str] = Field(
        default_factory=lambda: dict.fromkeys(_PATTERNS, ALIAS),
        description="pattern = model: what answers where a client asks for a model that is not"
        " served; the first pattern that fits counts",
    )


class UsageConfig(Frozen):
    """[usage]: the figures of `/v1/usage/team`, over all people."""

    team: bool = Field(default=False, description="whether it tells anything")
    smallest_group: int = Field(
        default=5,
        ge=1,
        description="days and groups of fewer people are not told; such groups count as others",
    )
    prices: str = Field(
        default="",
        description="file of prices by hardware, as `cato plan --prices` takes it; empty: rental"
        " prices of 2026-09",
    )

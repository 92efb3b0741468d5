"""Scaling rules of papers and of other systems, to compare with.

Each constant below is an entry point of the group `cato.scaling_rules`.
"""

from __future__ import annotations

from cato_backend.provisioning.rules import RuleKind
from cato_lab.scaling_rules.reactive import (
    QueueLength,
    QueueLengthSettings,
    RayTtft,
    RayTtftSettings,
)
from cato_lab.scaling_rules.remaining_slack import RemainingSlack, RemainingSlackSettings

REMAINING_SLACK = RuleKind(RemainingSlackSettings, lambda _, chosen: RemainingSlack(chosen))
QUEUE_LENGTH = RuleKind(QueueLengthSettings, lambda _, chosen: QueueLength(chosen))
RAY_TTFT = RuleKind(RayTtftSettings, lambda _, chosen: RayTtft(chosen))

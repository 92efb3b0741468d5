"""Decides how many replicas of a model there should be: pure, driven by the scheduler's events.

    provisioner = Provisioner(model, Bounds(1, 4), make_rule("planned", profile))
    provisioner.observe(event, decisions, now)    # every event, and what the scheduler decided
    plan = provisioner.decide(FleetState(ready=2, starting=0, waiting=7, running=30), now)
    plan.target, plan.why, plan.changed           # how many there should be, and a sentence

`decide` is to be called about once a second; it takes some milliseconds at most. The caller starts
`plan.target - (ready + starting)` replicas where that is positive; where it is negative it gives up
starting ones first, then tells the scheduler `ReplicaDraining` of those with least to do, and stops
each when nothing runs on it any more. Rules: `planned` (this project's), and the baselines
`remaining-slack`, `queue-length`, `ray-ttft`, `static`.
"""

from cato_backend.provisioning.provisioner import Provisioner
from cato_backend.provisioning.rules import ScalingRule, make_rule, rule_names
from cato_backend.provisioning.rules.base import Bounds, FleetState, Plan, Wanted

__all__ = [
    "Bounds",
    "FleetState",
    "Plan",
    "Provisioner",
    "ScalingRule",
    "Wanted",
    "make_rule",
    "rule_names",
]

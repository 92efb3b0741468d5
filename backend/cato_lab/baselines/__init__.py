"""Routing policies of papers and of other routers, to compare with.

Each function below is an entry point of the group `cato.policies`: it takes a Setup and returns a
new policy.
"""

from __future__ import annotations

from cato_backend.scheduling.policies import Policy, Setup
from cato_lab.baselines.dynamo_edf import DynamoCost, DynamoEdf
from cato_lab.baselines.llmd import LlmdHeadroom, LlmdSticky
from cato_lab.baselines.papers import PaperSlack, QoServe, SaberAdmission
from cato_lab.baselines.simple import EarliestDeadlineFirst, PerTask, PowerOfTwoChoices, Random


def random(setup: Setup) -> Policy:
    """Any replica, all equally likely."""
    return Random(setup.seed)


def power_of_two(setup: Setup) -> Policy:
    """Return the less busy of two replicas that are drawn at random (Ray Serve's default)."""
    return PowerOfTwoChoices(setup.seed)


def edf(setup: Setup) -> Policy:
    """Earliest deadline first."""
    return EarliestDeadlineFirst()


def saber(setup: Setup) -> Policy:
    """SABER's admission control."""
    return SaberAdmission()


def paper(setup: Setup) -> Policy:
    """Return the router of the paper that CATO goes back to."""
    return PaperSlack()


def llmd(setup: Setup) -> Policy:
    """llm-d's predicted headroom."""
    return LlmdHeadroom()


def llmd_sticky(setup: Setup) -> Policy:
    """llm-d's default since August 2026: sticky until saturated."""
    return LlmdSticky(setup.seed)


def dynamo(setup: Setup) -> Policy:
    """Dynamo's cost of cache misses and load."""
    return DynamoCost()


def dynamo_edf(setup: Setup) -> Policy:
    """Dynamo's deadline-ordered queues."""
    return DynamoEdf()


def qoserve(setup: Setup) -> Policy:
    """QoServe's order of the queue."""
    return QoServe()


def per_task(setup: Setup) -> Policy:
    """Return a share of the fleet for each class of task."""
    return PerTask(setup.split)

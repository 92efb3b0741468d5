"""The scheduling core: a deterministic state machine without I/O, clocks or callbacks.

    scheduler = Scheduler(policy, limits)
    decisions = scheduler.handle(Submitted(request), now)

Events go in with the time at which they happened, decisions come out, in the order in which they
are to be carried out. The very same object runs live, in the simulator and under Hypothesis.
"""

from cato_backend.scheduling.decisions import (
    Abort,
    Decision,
    Dispatch,
    Eject,
    Reason,
    Recall,
    Refusal,
    Reinstate,
    Reject,
    SyntheticTrial,
    WakeAt,
)
from cato_backend.scheduling.events import (
    AttemptFailed,
    Cancelled,
    Cause,
    Event,
    Finished,
    LoadReported,
    OthersRunning,
    ProbeEnded,
    ProbeEvent,
    ProbeProgressed,
    ProbeSent,
    Progressed,
    ReplicaAsleep,
    ReplicaChanged,
    ReplicaDown,
    ReplicaDraining,
    ReplicaResumed,
    ReplicaUp,
    Submitted,
    SyntheticTrialEnded,
    Woke,
)
from cato_backend.scheduling.limits import Limits, LongPromptLimits, OutlierDetection
from cato_backend.scheduling.outlier_record import OutlierRecord, State
from cato_backend.scheduling.policies import Policy, Setup, make_policy, policy_names
from cato_backend.scheduling.replica import ReplicaLoad
from cato_backend.scheduling.scheduler import Scheduler

__all__ = [
    "Abort",
    "AttemptFailed",
    "Cancelled",
    "Cause",
    "Decision",
    "Dispatch",
    "Eject",
    "Event",
    "Finished",
    "Limits",
    "LoadReported",
    "LongPromptLimits",
    "OthersRunning",
    "OutlierDetection",
    "OutlierRecord",
    "Policy",
    "ProbeEnded",
    "ProbeEvent",
    "ProbeProgressed",
    "ProbeSent",
    "Progressed",
    "Reason",
    "Recall",
    "Refusal",
    "Reinstate",
    "Reject",
    "ReplicaAsleep",
    "ReplicaChanged",
    "ReplicaDown",
    "ReplicaDraining",
    "ReplicaLoad",
    "ReplicaResumed",
    "ReplicaUp",
    "Scheduler",
    "Setup",
    "State",
    "Submitted",
    "SyntheticTrial",
    "SyntheticTrialEnded",
    "WakeAt",
    "Woke",
    "make_policy",
    "policy_names",
]

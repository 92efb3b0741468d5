"""Service times for baselines that predict: by the profile's law, without learning."""

from __future__ import annotations

from cato_backend.prediction.service import ReplicaState, ServiceModel, Work
from cato_backend.profile_files.profile import EngineLimits, StepLaw
from cato_backend.requests import Request
from cato_backend.scheduling.replica import ReplicaView
from cato_backend.wire.headers import Task

UNKNOWN = ServiceModel(StepLaw("additive", base=0.02, per_new_token=0.0001), EngineLimits())
"""For a replica without a profile: some 50 steps and 10,000 prompt tokens a second."""

MEAN_OUTPUT = {
    Task.COMPLETION: 16,
    Task.GENERATION: 320,
    Task.SUMMARIZATION: 64,
    Task.TRANSLATION: 240,
    Task.AGENT: 320,
}
"""Tokens; from the published distributions. None of these routers learns lengths per task."""


def model_of(replica: ReplicaView) -> ServiceModel:
    """Return the replica's law, or the guess."""
    return UNKNOWN if replica.profile is None else ServiceModel.of(replica.profile)


def state_of(replica: ReplicaView) -> ReplicaState:
    """Return what it has to do now."""
    return ReplicaState(
        decoding=replica.decoding,
        kv_tokens=replica.kv_tokens,
        pending_prefill=replica.pending_prefill,
        unstarted=replica.unstarted,
    )


def work_of(request: Request, cached: int = 0) -> Work:
    """Return the request with its class's mean length."""
    output = min(request.max_tokens, MEAN_OUTPUT[request.task])
    return Work(max(1, request.prompt_tokens - cached), cached, output)


def promised_s(request: Request, replica: ReplicaView, cached: int = 0) -> float:
    """Return seconds from sending it there to the event that its target is about."""
    model, state, work = model_of(replica), state_of(replica), work_of(request, cached)
    if request.target.e2e_s is None:
        return model.ttft_s(state, work)
    return model.e2e_s(state, work)

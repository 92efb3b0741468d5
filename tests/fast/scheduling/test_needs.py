"""What the requests that come next need of a replica."""

from __future__ import annotations

import math
from dataclasses import replace

from cato_backend.scheduling.policies.cato.lengths import Length
from cato_backend.scheduling.policies.cato.reserves import Needs
from cato_backend.wire.headers import Task
from tests.fast.scheduling.stories import request

LENGTH = Length(math.log(50), 0.5)


def test_the_most_urgent_class_counts() -> None:
    needs = Needs(0.7)
    assert needs.first_token_s == math.inf
    needs.observe(request("generation", ttft_s=1.0), LENGTH)
    assert needs.first_token_s == 1.0
    completion = replace(request("completion", ttft_s=0.25), task=Task.COMPLETION)
    needs.observe(completion, LENGTH)
    assert needs.first_token_s == 0.25


def test_a_warm_request_needs_nothing() -> None:
    needs = Needs(0.7)
    for _ in range(50):
        needs.observe(request("r", ttft_s=0.25), LENGTH)
        needs.observe(replace(request("warm", ttft_s=10.0), warm=True), LENGTH)
    assert needs.first_token_s == 0.25

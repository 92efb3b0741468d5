"""The sections about the backend itself: where it listens, how it schedules, what tasks promise."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cato_backend.requests import Target
from cato_backend.wire.headers import Task

Milliseconds = Annotated[float, Field(gt=0, le=3_600_000)]
SECRET = "secret"
"""The type of an error whose input must not be repeated in the message."""
TaskName = Literal["completion", "generation", "summarization", "translation", "agent"]


class Frozen(BaseModel):
    """What every section is: strict, complete, without a field that nobody reads."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True)


class ServerConfig(Frozen):
    """[server]: where the gateway listens, and who may come in."""

    host: str = Field(default="127.0.0.1", description="address to bind")
    port: int = Field(default=8700, ge=0, le=65535, description="port to bind; 0 picks a free one")
    token_file: str = Field(
        default="", description="file with one bearer token a line; needed off loopback"
    )
    tls_cert: str = Field(default="", description="PEM certificate chain; serves HTTPS")
    tls_key: str = Field(default="", description="PEM private key of tls_cert")
    insecure: bool = Field(
        default=False, description="allow plain HTTP off loopback (behind a proxy that ends TLS)"
    )
    max_body_bytes: int = Field(
        default=8 * 1024 * 1024, ge=1024, description="largest request body"
    )
    header_timeout_s: float = Field(
        default=10, gt=0, description="longest time for the head of a request, seconds"
    )
    body_timeout_s: float = Field(
        default=30,
        gt=0,
        description="longest time for the body of a request, and a second more for each 16 KiB",
    )
    keepalive_timeout_s: float = Field(
        default=75, gt=0, description="an idle connection is closed after this many seconds"
    )
    send_timeout_s: float = Field(
        default=60, gt=0, description="a client that reads nothing of its answer for so long is cut"
    )
    max_connections: int = Field(
        default=4096,
        ge=1,
        description="client connections, as far as the limit of file descriptors allows it;"
        " the longest idle one is closed for a new one",
    )
    max_idle_connections: int = Field(
        default=1024, ge=1, description="of these, how many may be idle"
    )
    drain_s: float = Field(
        default=30,
        ge=0,
        description="at the end, what is under way may finish within this many seconds",
    )
    feedback_max_bytes: int = Field(
        default=8 * 1024 * 1024, ge=65536, description="size at which the file of feedback rotates"
    )
    event_log: str = Field(
        default="", description="file for every event and decision of the scheduler, as JSON lines"
    )
    event_log_max_bytes: int = Field(
        default=256 * 1024 * 1024, ge=65536, description="size at which that file rotates"
    )
    idle_exit_s: float = Field(
        default=0, ge=0, description="end after this many seconds without a request; 0 never does"
    )


class SchedulingConfig(Frozen):
    """[scheduling]: the policy and the bounds that it may not cross."""

    policy: str = Field(default="cato", description="which policy routes requests")
    profile: str = Field(
        default="", description="file of the latency profile of replicas that name none"
    )
    max_running_per_replica: int = Field(
        default=64, ge=1, description="requests that run on one replica at once"
    )
    max_waiting: int = Field(default=4096, ge=1, description="queued requests per model")
    max_waiting_per_session: int = Field(
        default=64, ge=1, description="queued requests of an editor that names itself"
    )
    max_wait_s: float = Field(
        default=60,
        gt=0,
        description="longest stay in the queue, seconds; no more is queued than is served in it",
    )
    max_attempts: int = Field(default=3, ge=1, description="replicas tried for one request")
    long_prompt_s: float = Field(
        default=1.0,
        gt=0,
        description="a prompt is long where a replica computes what is not cached of it for more"
        " seconds; this and the next four hold for the policy cato",
    )
    long_prompts_per_replica: int = Field(
        default=1, ge=0, description="long prompts that one replica computes at once; 0: any number"
    )
    long_prompt_replica_share: float = Field(
        default=0.25,
        ge=0,
        le=1,
        description="of a model's replicas without a long_prefill_token_threshold, how many compute"
        " long prompts at once; one may always",
    )
    agent_share: float = Field(
        default=0.75,
        gt=0,
        le=1,
        description="of a replica's slots and of its KV cache that agents' turns may take",
    )
    long_prompt_patience_s: float = Field(
        default=20,
        ge=0,
        description="after so long in the queue a request is not bound by these",
    )
    supersede_plain: bool = Field(
        default=True,
        description="a completion of a client without our headers replaces the one that it plainly"
        " continues: the same text with some characters more or less before the cursor",
    )
    warm_per_minute: float = Field(
        default=60, gt=0, description="prompts that one editor may have warmed, in the long run"
    )
    warm_burst: int = Field(default=4, ge=1, description="and at once")
    calibrate: bool = Field(
        default=True,
        description="measure a replica that comes up with a few short prompts while it is idle, for"
        " 3 seconds at most",
    )
    scrape_s: float = Field(
        default=2,
        ge=0,
        description="between two looks at a replica's own metrics, for what other clients do there;"
        " 0 never looks",
    )
    connect_s: float = Field(
        default=2, gt=0, description="longest wait for a connection to a replica, seconds"
    )
    keepalive_s: float = Field(
        default=4,
        gt=0,
        description="an idle connection to a replica is closed after this: below the limit of the"
        " replica's server (5 s in uvicorn and Node.js)",
    )
    silence_s: float = Field(
        default=120, gt=0, description="a stream that brings nothing for so long is broken off"
    )
    whole_answer_s: float = Field(
        default=1800, gt=0, description="longest wait for an answer that is not streamed, seconds"
    )


class OutlierDetectionConfig(Frozen):
    """[outlier_detection]: when a replica gets no requests for a while because of its behaviour."""

    consecutive_failures: int = Field(
        default=3,
        ge=0,
        description="attempts in a row that fail by its fault (not by its process's death or the"
        " client's mistake); 0 ejects none for failures",
    )
    overdue: bool = Field(
        default=True,
        description="eject replicas that take requests and do not begin to answer, and move those"
        " requests to others",
    )
    base_ejection_s: float = Field(
        default=1,
        gt=0,
        description="times the number of its ejections: seconds until one request tries it again",
    )
    max_ejection_s: float = Field(default=30, gt=0, description="longest time before that, seconds")
    max_ejection_percent: float = Field(
        default=50,
        ge=0,
        le=100,
        description="of a model's replicas, rounded up; the last one is never ejected",
    )
    interval_s: float = Field(
        default=10, gt=0, description="in service for so long, one ejection less counts"
    )


class TargetConfig(Frozen):
    """[targets.TASK]: what the task promises where the client names no budget."""

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

"""The sections about the backend itself: addresses, scheduling, outlier detection, log, tracing."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from cato_backend.wire.state_files import with_home

SECRET = "secret"
"""The type of an error whose input must not be repeated in the message."""


def _network(text: str) -> str:
    """Return the network of an address or a network. Raises ValueError."""
    try:
        return str(ip_network(text))
    except ValueError as error:
        raise ValueError(
            "an IP address or a network such as 10.0.0.0/8, without bits beside the network"
        ) from error


Network = Annotated[str, AfterValidator(_network)]
FilePath = Annotated[str, AfterValidator(with_home)]


TaskName = Literal["completion", "generation", "summarization", "translation", "agent"]


class Frozen(BaseModel):
    """Base of all sections: frozen and strict, without unknown fields."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        validate_default=True,
        # Front processes read it as JSON, which else has null for inf.
        ser_json_inf_nan="constants",
    )


class ServerConfig(Frozen):
    """[server]: where the gateway listens, and who has access."""

    host: str = Field(default="127.0.0.1", description="address to bind")
    port: int = Field(default=8700, ge=0, le=65535, description="port to bind; 0 picks a free one")
    token_file: FilePath = Field(
        default="", description="file with one bearer token a line; needed off loopback"
    )
    loopback_token: Literal["auto", "always", "never"] = Field(
        default="auto",
        description="whether a server on loopback without token_file needs the token of the file"
        " `token` in the state folder; auto: where other people use this machine, or"
        " your account comes from a directory service",
    )
    tls_cert: FilePath = Field(default="", description="PEM certificate chain; serves HTTPS")
    tls_key: FilePath = Field(default="", description="PEM private key of tls_cert")
    insecure: bool = Field(
        default=False, description="allow plain HTTP off loopback (behind a proxy that ends TLS)"
    )
    trusted_proxies: tuple[Network, ...] = Field(
        default=(),
        strict=False,
        description="addresses or networks of proxies whose X-Forwarded-For tells the client's"
        " address, for the limits of sign-in, the log and the audit log",
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
        default=60, gt=0, description="a client that reads nothing for this time is disconnected"
    )
    max_connections: int = Field(
        default=4096,
        ge=1,
        description="client connections, as far as the limit of file descriptors allows it;"
        " the longest idle one is closed for a new one",
    )
    max_idle_connections: int = Field(
        default=1024, ge=1, description="largest number of idle ones among them"
    )
    gateways: int = Field(
        default=1,
        ge=1,
        le=64,
        description="processes that take the connections of clients, before one that schedules;"
        " 1: one process does both",
    )
    drain_s: float = Field(
        default=30,
        ge=0,
        description="at the end, what is under way may finish within this many seconds",
    )
    feedback_max_bytes: int = Field(
        default=8 * 1024 * 1024, ge=65536, description="size at which the file of feedback rotates"
    )
    event_log: FilePath = Field(
        default="", description="file for every event and decision of the scheduler, as JSON lines"
    )
    event_log_max_bytes: int = Field(
        default=256 * 1024 * 1024, ge=65536, description="size at which that file rotates"
    )
    idle_exit_s: float = Field(
        default=0, ge=0, description="end after this many seconds without a request; 0 never does"
    )


class TeamConfig(Frozen):
    """[team]: the store of people, teams and their tokens."""

    store: FilePath = Field(
        default="", description="file of the store; empty: team/team.sqlite3 in the state folder"
    )
    isolation: Literal["team", "person", "none"] = Field(
        default="team",
        description="who shares the prefix cache of vLLM; teams with the same shared context do",
    )
    over_budget: Literal["behind", "refuse"] = Field(
        default="behind",
        description="a request over the budget of the day is served behind all others, or refused",
    )
    audit_max_bytes: int = Field(
        default=8 * 1024 * 1024, ge=65536, description="size at which the audit log rotates"
    )


class SchedulingConfig(Frozen):
    """[scheduling]: the policy and its bounds."""

    policy: str = Field(default="cato", description="which policy routes requests")
    profile: FilePath = Field(
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
        description="a request that was queued for this time is exempt from these limits",
    )
    supersede_plain: bool = Field(
        default=True,
        description="a completion of a client without our headers replaces the one that it plainly"
        " continues: the same text with some characters more or less before the cursor",
    )
    warm_per_minute: float = Field(
        default=60, gt=0, description="prompts that one editor may have warmed, in the long run"
    )
    warm_burst: int = Field(
        default=4, ge=1, description="prompts that one editor may have warmed at once"
    )
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
        default=120, gt=0, description="a stream that brings nothing for this time is aborted"
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
        description="seconds until one request tries it again, times the number of its ejections",
    )
    max_ejection_s: float = Field(default=30, gt=0, description="longest time before that, seconds")
    max_ejection_percent: float = Field(
        default=50,
        ge=0,
        le=100,
        description="share of a model's replicas, rounded up; the last one is never ejected",
    )
    interval_s: float = Field(
        default=10, gt=0, description="seconds in service after which one ejection less counts"
    )


class LogConfig(Frozen):
    """[log]: the log on standard error."""

    format: Literal["text", "json"] = Field(
        default="text", description="lines for people, or one JSON object a line"
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="the least important lines that are written"
    )
    slow_times: float = Field(
        default=5,
        ge=0,
        description="a request that took more than this many times its target is logged; 0: none",
    )


class TracingConfig(Frozen):
    """[tracing]: OpenTelemetry traces of requests, with the extra [otel]."""

    enabled: bool = Field(default=False, description="whether spans are sent; no span holds code")
    endpoint: str = Field(
        default="",
        description="URL of an OTLP/HTTP receiver; empty: OTEL_EXPORTER_OTLP_ENDPOINT, else"
        " http://localhost:4318",
    )

"""The backend's own Prometheus metrics. Labels are few and of low cardinality."""

from __future__ import annotations

import platform
from bisect import bisect_left

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from cato_backend import __version__

_SECONDS = (
    0.01, 0.02, 0.03, 0.04, 0.05, 0.1, 0.15, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 15.0,
    30.0, 60.0,
)  # fmt: skip


class _Amount:
    """In place of Prometheus' own, which take a lock: what counts runs on one event loop."""

    __slots__ = ("_amount",)

    def __init__(self) -> None:
        self._amount = 0.0

    def inc(self, amount: float) -> None:
        self._amount += amount

    def set(self, amount: float) -> None:
        self._amount = amount

    def get(self) -> float:
        return self._amount

    def get_exemplar(self) -> None:
        """Return none: they are not kept."""


class _Counter(Counter):
    _value: _Amount

    def _metric_init(self) -> None:
        super()._metric_init()
        self._value = _Amount()

    def inc(self, amount: float = 1, exemplar: dict[str, str] | None = None) -> None:
        """Count an amount. Raises ValueError for a negative one."""
        if amount < 0:
            raise ValueError("a counter only grows")
        self._value.inc(amount)


class _Histogram(Histogram):
    """Finds the bucket by bisection; Prometheus' own looks at one after the other."""

    _sum: _Amount
    _buckets: list[_Amount]

    def _metric_init(self) -> None:
        super()._metric_init()
        self._sum = _Amount()
        self._buckets = [_Amount() for _ in self._upper_bounds]

    def observe(self, amount: float, exemplar: dict[str, str] | None = None) -> None:
        """Count an amount. Exemplars are not kept."""
        self._sum.inc(amount)
        self._buckets[bisect_left(self._upper_bounds, amount)].inc(1)


class Metrics:
    """The metrics, with one registry per backend: two in one process do not share counts."""

    def __init__(self) -> None:
        # A timestamp beside each counter doubles what is scraped, and nothing reads it.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        Info("cato_build", "This version of CATO", registry=self.registry).info(
            {"version": __version__, "python": platform.python_version()}
        )
        task = ["task"]
        self.requests = self._counter(
            "cato_requests",
            "Requests by task and outcome (met, late, enough, cancelled, or the refusal)",
            ["task", "outcome"],
        )
        self.workflow_calls = self._counter(
            "cato_workflow_calls",
            "Calls of whole tasks, by the share of the budget that their stage had",
            ["task", "outcome"],
        )
        self.relegated = self._counter(
            "cato_requests_relegated",
            "Requests demoted because their target could no longer be met",
            task,
        )
        self.retries = Counter(
            "cato_retries",
            "Attempts that a replica broke off and another took over",
            registry=self.registry,
        )
        self.ejections = self._counter(
            "cato_replica_ejections",
            "Ejections of a replica, by reason: failures, overdue, busy",
            ["replica", "reason"],
        )
        self.ejected = Gauge(
            "cato_replica_ejected",
            "1 while a replica is ejected, or gets one trial request at a time",
            ["replica"],
            registry=self.registry,
        )
        self.attempts_moved = Counter(
            "cato_attempts_moved",
            "Attempts that were given up for another replica because theirs was overdue",
            registry=self.registry,
        )
        self.resumed = self._counter(
            "cato_streams_resumed", "Streams that another replica continued in mid-answer", task
        )
        self.cached_tokens = self._counter(
            "cato_prompt_tokens_cached", "Prompt tokens that engines found in their cache", task
        )
        self.prompt_tokens = self._counter(
            "cato_prompt_tokens", "Prompt tokens of answers whose engine tells what it found", task
        )
        self.output_tokens = self._counter(
            "cato_output_tokens", "Output tokens of answers that have ended, however they did", task
        )
        self.team_requests = self._counter(
            "cato_team_requests",
            "Requests by team and outcome: met, late, enough, cancelled, superseded, refused; each"
            " call of a whole task counts",
            ["team", "outcome"],
        )
        self.team_output_tokens = self._counter(
            "cato_team_output_tokens", "Output tokens by team", ["team"]
        )
        self.refusals = self._counter(
            "cato_refusals",
            "Answers with an error status, by its code, requests that reached no queue included",
            ["code"],
        )
        self.prediction_error = self._histogram(
            "cato_prediction_error_seconds",
            "Between predicted and observed service, from dispatch to the promised token",
            task,
        )
        self.prediction_bounds = self._counter(
            "cato_prediction_bounds",
            "Predicted upper bounds that held, and that the service exceeded",
            ["task", "bound"],
        )
        self.prediction_coverage = Gauge(
            "cato_prediction_coverage",
            "Recent share of upper bounds that held; 0.9 is aimed at",
            ["model", "task"],
            registry=self.registry,
        )
        self.wanted_replicas = Gauge(
            "cato_replicas_wanted",
            "Replicas that the provisioner wants",
            ["model"],
            registry=self.registry,
        )
        self.fleet_replicas = Gauge(
            "cato_fleet_replicas",
            "Replicas under the provisioner: ready, starting, draining, stopping, asleep",
            ["model", "state"],
            registry=self.registry,
        )
        self.replica_start = Gauge(
            "cato_replica_start_seconds",
            "Usual time until a replica serves: its model is loaded (load), or it is woken (wake)",
            ["model", "kind"],
            registry=self.registry,
        )
        self.replica_seconds = self._counter(
            "cato_replica_seconds", "Total uptime of replicas, from launch to stop", ["model"]
        )
        self.scaling_decisions = self._counter(
            "cato_scaling_decisions", "Decisions of the provisioner", ["model", "direction"]
        )
        self.scaling_reason = Gauge(
            "cato_scaling_reason",
            "1, under the reason of the latest decision",
            ["model", "why"],
            registry=self.registry,
        )
        self.unusable_answers = self._counter(
            "cato_unusable_answers",
            "Answers within whole tasks that were empty, or cut because they repeated themselves",
            ["task", "problem"],
        )
        self.feedback = self._counter(
            "cato_feedback", "What became of answers in editors", ["task", "event"]
        )
        self.shown_chars = self._counter("cato_feedback_shown_chars", "Characters shown", task)
        self.accepted_chars = self._counter(
            "cato_feedback_accepted_chars", "Characters accepted", task
        )
        self.ttft = self._histogram("cato_ttft_seconds", "From arrival to the first token", task)
        self.e2e = self._histogram("cato_e2e_seconds", "From arrival to the last token", task)
        self.tpot = self._histogram(
            "cato_tpot_seconds", "Between two tokens, in the mean of an answer", task
        )
        self.aims = self._counter(
            "cato_aims",
            "What is aimed at beside the targets, met or missed: usable, a completion whole within "
            "0.5 s",
            ["task", "aim", "outcome"],
        )
        self.queued = self._histogram("cato_queue_seconds", "From arrival to dispatch", task)
        self.waiting = Gauge(
            "cato_requests_waiting", "Queued requests", ["model"], registry=self.registry
        )
        self.running = Gauge(
            "cato_requests_running", "Requests on a replica", ["replica"], registry=self.registry
        )
        self.others = Gauge(
            "cato_requests_of_others",
            "Requests that a replica has in hand and that did not come from here",
            ["replica"],
            registry=self.registry,
        )
        self.engine_slots = Gauge(
            "cato_replica_engine_slots",
            "Requests that a replica's engine runs at once, where its own metrics have shown it",
            ["replica"],
            registry=self.registry,
        )
        self.kv_usage = Gauge(
            "cato_replica_kv_usage",
            "Share of a replica's KV cache that running requests hold, as it says itself",
            ["replica"],
            registry=self.registry,
        )
        self.scrape_problems = self._counter(
            "cato_scrape_problems",
            "Values in a replica's own metrics that could not be used",
            ["replica", "problem"],
        )
        self.outstanding = Gauge(
            "cato_outstanding_tokens",
            "Tokens that a replica owes at most",
            ["replica"],
            registry=self.registry,
        )
        self.connections = Gauge(
            "cato_connections", "Connections of clients", ["state"], registry=self.registry
        )
        self.connections_closed = self._counter(
            "cato_connections_closed", "Connections of clients that a limit ended", ["limit"]
        )
        self.gateways = Gauge(
            "cato_gateways",
            "Processes that take connections of clients",
            registry=self.registry,
        )
        self.tasks = Gauge(
            "cato_asyncio_tasks",
            "Tasks of the event loop that are not done",
            registry=self.registry,
        )
        ProcessCollector(registry=self.registry)
        self.replicas = Gauge(
            "cato_replicas_up", "Replicas that take requests", ["model"], registry=self.registry
        )

    def _counter(self, name: str, text: str, labels: list[str]) -> Counter:
        return _Counter(name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, labels: list[str]) -> Histogram:
        return _Histogram(name, text, labels, buckets=_SECONDS, registry=self.registry)

    def exposition(self) -> bytes:
        """Return the text format that Prometheus scrapes."""
        return generate_latest(self.registry)

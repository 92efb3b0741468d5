"""The result files of the page, in its order, with the function that reads each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.report import developers, editor, fleet, gateway, predictions, router
from bench.report.claims import Claim

RESULTS = Path(__file__).parents[1] / "results"
VIRTUAL = "virtual time"
EMULATED = "emulated replicas"
REAL = "real vLLM, CPU"
GPU = "others' GPU measurements"
PROCESS = "this process alone"


@dataclass(frozen=True, slots=True)
class Source:
    """A result file: what it is about, which tier backs its claims, and how they are read. `note`
    is what a reader must know before they compare."""

    name: str
    subject: str
    tier: str
    seeds: str
    read: Callable[[Mapping[str, Any]], Iterator[Claim]]
    note: str = ""

    @property
    def path(self) -> Path:
        """Return the file."""
        return RESULTS / f"{self.name}.json"

    def document(self) -> dict[str, Any]:
        """Return what is in the file."""
        found: dict[str, Any] = json.loads(self.path.read_text(encoding="utf-8"))
        return found

    def exists(self) -> bool:
        """Return whether the benchmark has ever been kept."""
        return self.path.is_file()


_BEFORE_TPOT = (
    "Measured before the policy counted the pace of generations ([decision 002]"
    "(../docs/decisions/002-tpot-is-part-of-the-target.md)), and scored by the rule of today."
)
_PER_TASK = (
    "`per-task` keeps one replica for each class, which serves translations well and loses most "
    "generations."
)
_LOOKED_AT = (
    "Nobody had looked at these worlds when this was measured. Three of the worst were looked at "
    "since ([decision 011](../docs/decisions/011-order-binding-and-relegation.md))."
)
_MIX_BEFORE_TPOT = (
    "Measured before goodput counted the pace of generations ([decision 002]"
    "(../docs/decisions/002-tpot-is-part-of-the-target.md))."
)
_SERVED = (
    "Developers are served while their share of pauses with the right suggestion within 500 ms of "
    "the last key is at least half, and at least 90% of what the same client reaches with 25 "
    "developers on four replicas. What is modelled: [docs/workloads.md]"
    "(../docs/workloads.md#developers-per-replica). The file was made in three steps; `earlier` in "
    "it names the commands of the first two."
)
SOURCES = (
    Source(
        "simulate_mix", "Policies: the four-task mix", VIRTUAL, "1, 2", router.policies, _PER_TASK
    ),
    Source("simulate_bursts", "Policies: bursts (gamma, CV 5)", VIRTUAL, "1-3", router.policies),
    Source("simulate_azure", "Policies: Azure's code trace", VIRTUAL, "1, 2", router.policies),
    Source("simulate_mmpp", "Policies: MMPP of that trace", VIRTUAL, "1, 2", router.policies),
    Source("simulate_typing", "Policies: developers typing", VIRTUAL, "1-3", router.developers),
    Source(
        "developers",
        "Developers per replica, end to end",
        VIRTUAL,
        "1-5",
        developers.per_replica,
        _SERVED,
    ),
    Source("simulate_static", "Policies: static split by task", VIRTUAL, "1, 2", router.policies),
    Source("simulate_ablation", "Mechanisms of the policy", VIRTUAL, "1-3", router.ablation),
    Source("arena_fresh", "Fresh sampled worlds", VIRTUAL, "worlds 5001-5040", router.arena),
    Source(
        "arena_unseen",
        "Sampled worlds, earlier",
        VIRTUAL,
        "worlds 2001-2030",
        router.arena,
        _LOOKED_AT,
    ),
    Source("long_prompts", "Long prompts and agents", VIRTUAL, "1-6", router.long_prompts),
    Source("fair_shares", "Fair shares", VIRTUAL, "0-2", router.fair_shares),
    Source("workflows", "One budget for several calls", VIRTUAL, "0-3", router.workflows),
    Source("peers_mix", "Other routers", EMULATED, "1-3", router.peers, _BEFORE_TPOT),
    Source(
        "peers_stretched",
        "Other routers, all times doubled",
        EMULATED,
        "1-3",
        router.peers,
        _BEFORE_TPOT,
    ),
    Source(
        "peers_without_profile",
        "Other routers, all times doubled, without a profile",
        EMULATED,
        "11, 12",
        router.peers,
    ),
    Source("gateway", "What the gateway adds", EMULATED, "-", gateway.added),
    Source("gateway_pair", "A request's cost, two checkouts", EMULATED, "-", gateway.pair),
    Source("gateway_peers", "A request's cost, other proxies", EMULATED, "-", gateway.proxies),
    Source("decisions", "A decision's cost", PROCESS, "0", gateway.decisions),
    Source("chaos", "Faults", EMULATED, "0-4", gateway.faults),
    Source("prediction", "Predictions", VIRTUAL, "1, 2", predictions.predicted),
    Source("learned_law", "Learned step laws", VIRTUAL, "worlds 1-20", predictions.learned),
    Source("prediction_live", "Predictions, real engine", REAL, "0", predictions.live),
    Source("emulator_fidelity", "The emulator", REAL, "1", predictions.emulated),
    Source("gpu_profiles", "GPU profiles", GPU, "-", predictions.gpu_profiles),
    Source("profile_cpu_x86_2core", "CPU profile", REAL, "-", fleet.readings),
    Source("output_estimates", "Estimated lengths", PROCESS, "1", predictions.output_lengths),
    Source("provisioning", "Scaling rules", VIRTUAL, "1", fleet.scaling, _MIX_BEFORE_TPOT),
    Source("provisioning_live", "Scaling rules, live", EMULATED, "1", fleet.live, _MIX_BEFORE_TPOT),
    Source("models", "Models", REAL, "-", fleet.models),
    Source("embedded_serving", "The embedded model", REAL, "-", fleet.embedded),
    Source("first_run", "From a clean clone", REAL, "-", fleet.first_run),
    Source("typing", "Suggestions while typing", EMULATED, "1", editor.typing),
    Source("typing_other_clients", "Other clients, earlier", EMULATED, "1", editor.typing),
    Source("typing_one_replica", "One replica, earlier", EMULATED, "1", editor.typing),
    Source("suggestion_ends", "Ends of suggestions", PROCESS, "17", editor.suggestion_ends),
    Source("lsp_startup", "Language server: start", PROCESS, "-", editor.startup),
    Source("lsp_latency", "Language server: a key", EMULATED, "-", editor.latency),
    Source("lsp_answers", "Language server: answers", EMULATED, "-", editor.answers),
    Source("lsp_memory", "Language server: memory", EMULATED, "-", editor.memory),
    Source("document_edits", "Language server: an edit", PROCESS, "-", editor.edits),
)

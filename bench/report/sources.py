"""The result files of the page, in its order, with the function that reads each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.report import (
    arena,
    developers,
    editor,
    fleet,
    fleets,
    gateway,
    predictions,
    router,
    tasks,
)
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
_AGENTS = (
    "60 developers and 8 agents on two replicas (H100, 7B), the same keys with agents and without. "
    "Recorded agents repeat 350 sessions of callanjfox/kv-cache-tester (Apache-2.0); sampled ones "
    "have their medians and their reuse."
)
_LOOKED_AT = (
    "Nobody had looked at these worlds when this was measured. Three of the worst were looked at "
    "since ([decision 011](../docs/decisions/011-order-binding-and-relegation.md))."
)
_PLAYED_FOR_042 = (
    "Six of these worlds were looked at for [decision 042]"
    "(../docs/decisions/042-what-a-miss-is-worth.md); the baselines are those of an earlier run."
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
_FORECASTS = (
    "Loss: the pinball loss over four quantiles. A lead in points is the share of the last value's "
    "loss that is saved. Days are pressed into an hour, so that 120 s are 48 minutes of them."
)
_BESIDE = (
    "Tasks are summaries of files of 3 to 48 functions within 6 or 8 s and checked translations "
    "within 10 s. `least-requests` is first come, first served; `prefix-affinity-priorities` is "
    "vLLM's priority scheduling with a fixed priority for each class."
)
_QUALITY = (
    "Problems of HumanEval, which models may have seen in training, and lines of the Python "
    "packages that are installed here. A summary is judged by its form and its words, not by its "
    "truth. Every verdict is in the file."
)
_SPECULATION = (
    "Replayed from the answers of the default model: what was accepted follows from the text; the "
    "time of a verified token is assumed as a share of a step, which the file names."
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
    Source(
        "arena_judged",
        "Sampled worlds, never looked at",
        VIRTUAL,
        "worlds 7001-7012",
        arena.arena,
    ),
    Source(
        "arena_fresh",
        "Sampled worlds",
        VIRTUAL,
        "worlds 5001-5040",
        arena.arena,
        _PLAYED_FOR_042,
    ),
    Source(
        "arena_unseen",
        "Sampled worlds, earlier",
        VIRTUAL,
        "worlds 2001-2030",
        arena.arena,
        _LOOKED_AT,
    ),
    Source("long_prompts", "Long prompts and agents", VIRTUAL, "1-6", router.long_prompts),
    Source(
        "agents_beside_typing",
        "Typing beside coding agents",
        VIRTUAL,
        "1-5",
        router.agents_beside_typing,
        _AGENTS,
    ),
    Source("fair_shares", "Fair shares", VIRTUAL, "0-2", router.fair_shares),
    Source("workflows", "One budget for several calls", VIRTUAL, "0-3", router.workflows),
    Source("beside_tasks", "Completions beside whole tasks", VIRTUAL, "1-5", tasks.beside, _BESIDE),
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
    Source(
        "gateways",
        "Front processes before one scheduler",
        EMULATED,
        "-",
        gateway.fronts,
        note="On two cores that other programs used as well: CPU times hold, and requests/s follow"
        " from them for cores that were not there; the added TTFT is mostly the wait for a core.",
    ),
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
    Source("plans", "Fleets for teams (`cato plan`)", VIRTUAL, "1-8", fleet.plans),
    Source("provisioning", "Scaling rules", VIRTUAL, "1", fleet.scaling, _MIX_BEFORE_TPOT),
    Source("provisioning_live", "Scaling rules, live", EMULATED, "1", fleet.live, _MIX_BEFORE_TPOT),
    Source("forecast", "Forecasts of demand", VIRTUAL, "1-5", fleets.forecasts, _FORECASTS),
    Source("placement", "Placement on GPUs", PROCESS, "1-5", fleets.placement),
    Source("models", "Models", REAL, "-", fleet.models),
    Source("quality", "Quality of answers, by class of task", REAL, "1", tasks.quality, _QUALITY),
    Source("speculation", "N-gram speculation", PROCESS, "-", tasks.speculation, _SPECULATION),
    Source("embedded_serving", "The embedded model", REAL, "-", fleet.embedded),
    Source("first_run", "From a clean clone", REAL, "-", fleet.first_run),
    Source("typing_quick", "Suggestions while typing", VIRTUAL, "1-4", editor.people),
    Source("typing", "Suggestions while typing, earlier", EMULATED, "1", editor.typing),
    Source("typing_other_clients", "Other clients, earlier", EMULATED, "1", editor.typing),
    Source("typing_one_replica", "One replica, earlier", EMULATED, "1", editor.typing),
    Source("suggestion_ends", "Ends of suggestions", PROCESS, "17", editor.suggestion_ends),
    Source("lsp_startup", "Language server: start", PROCESS, "-", editor.startup),
    Source("lsp_latency", "Language server: a key", EMULATED, "-", editor.latency),
    Source("lsp_answers", "Language server: answers", EMULATED, "-", editor.answers),
    Source("lsp_memory", "Language server: memory", EMULATED, "-", editor.memory),
    Source("document_edits", "Language server: an edit", PROCESS, "-", editor.edits),
)

"""The entries of `GET /v1/models`: aliases, models and adapters, with CATO's own fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cato_backend.gateway.hardware_targets import ModelTargets
from cato_backend.gateway.state import Gateway, targets_of
from cato_backend.runtime.catalog import Catalog
from cato_backend.runtime.facts import ModelFacts
from cato_backend.runtime.render import max_prompt_tokens
from cato_backend.runtime.task_terms import abilities_of
from cato_backend.tasks.whole import NEEDED, useful_kinds
from cato_backend.wire.headers import TASK_ALIASES, Task
from cato_backend.wire.tasks import TaskKind


def alias_entry(gateway: Gateway, alias: str) -> dict[str, Any]:
    """Return an alias, described as the model that serves its task.

    An alias that stands for all tasks is described as the model for completions. Whether
    instructions are followed is told of the model for whole tasks.
    """
    catalog = gateway.runtime.catalog
    known, task = catalog.models(), TASK_ALIASES.get(alias)
    name = catalog.model_for(task or Task.COMPLETION)
    described = catalog.facts(name) if name in catalog else known[0]
    entry = model_entry(gateway, described, alias)
    entry["cato"]["tasks"] = list(Task) if task is None else [task]
    asked = catalog.model_for(task or Task.SUMMARIZATION)
    if asked in catalog:
        entry["cato"] |= _instruct(catalog.facts(asked))
    kinds = [kind for kind in TaskKind if _is_useful(catalog, kind, task)]
    entry["cato"] |= _whole_tasks(kinds)
    return entry


def model_entry(gateway: Gateway, facts: ModelFacts, name: str) -> dict[str, Any]:
    """Return a model or an adapter under this name, in OpenAI's shape."""
    catalog = gateway.runtime.catalog
    return {
        "id": name,
        "object": "model",
        "created": 0,
        "owned_by": "cato",
        "root": facts.name,
        "parent": facts.parent or None,
        "max_model_len": facts.max_model_len,
        "cato": {
            "tasks": list(catalog.tasks_of(facts.name)),
            "max_prompt_tokens": max_prompt_tokens(facts),
            "chars_per_token": round(catalog.ratio(facts.name).mean, 2),
            "fim_order": _fim_order(facts),
            "parameters": gateway.sizes.of_model(facts.model),
            "note": facts.fim.reason,
            "targets": _targets(gateway, name),
            **_instruct(facts),
            **_whole_tasks(useful_kinds(abilities_of(catalog, facts.name))),
        },
    }


def _targets(gateway: Gateway, name: str) -> dict[str, Any]:
    """Return what the classes promise where a client names no target."""
    return {task.value: _target(targets_of(gateway, name, task), task) for task in Task}


def _target(targets: ModelTargets, task: Task) -> dict[str, float]:
    """Return one class's target.

    `times`: of what is configured, because the hardware needs longer even without load.
    """
    target = targets.of(task)
    unit = "ttft_ms" if target.e2e_s is None else "e2e_ms"
    return {unit: round(target.budget_s * 1000), "times": targets.stretches[task].times}


def _instruct(facts: ModelFacts) -> dict[str, Any]:
    """Return whether whole tasks ask the model in a chat, and why."""
    return {
        "follows_instructions": facts.instruct.follows,
        "instruct_note": facts.instruct.reason,
    }


def _is_useful(catalog: Catalog, kind: TaskKind, task: Task | None) -> bool:
    """Return whether the alias, that of `task` or the general one, does this usefully."""
    name = catalog.model_for(task or kind.slo_class)
    return name in catalog and kind in useful_kinds(abilities_of(catalog, name))


def _whole_tasks(kinds: Sequence[TaskKind]) -> dict[str, Any]:
    """Return what `/v1/tasks` does usefully with the model, and what is needed for the rest."""
    note = "" if len(kinds) == len(TaskKind) else NEEDED
    return {"whole_tasks": list(kinds), "whole_tasks_note": note}


def _fim_order(facts: ModelFacts) -> str | None:
    """Return the order of prompts; None for a model that is served prefix-only."""
    return facts.fim.format.orders[0] if facts.fim.format else None

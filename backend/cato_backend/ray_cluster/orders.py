"""Orders of the gateway to the cluster: one life of one replica."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cato_backend.engines.command import EmulationSpec, EngineSpec, ModelSpec
from cato_backend.engines.environments import EngineKind

NAMESPACE = "cato"
"""Ray's namespace of all of CATO's actors."""


@dataclass(frozen=True, slots=True)
class NodeShare:
    """Resources that Ray reserves for one replica."""

    cpus: float
    gpus: float
    runtime_env: Mapping[str, Any] = field(default_factory=dict[str, Any])
    orphan_s: float = 600.0
    """Seconds without a question from the backend after which a replica ends itself."""

    @property
    def bundle(self) -> dict[str, float]:
        """The bundle of its placement group."""
        wanted = {"CPU": self.cpus, "GPU": self.gpus}
        return {name: count for name, count in wanted.items() if count}

    def __str__(self) -> str:
        return " and ".join(f"{count:g} {name}" for name, count in self.bundle.items())


@dataclass(frozen=True, slots=True)
class LifeOrder:
    """One life to begin. The engine's `python` is found on the node."""

    life: str
    """Its name in the cluster, used once."""
    model: ModelSpec
    engine: EngineSpec | EmulationSpec
    share: NodeShare
    api_key: str = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """For `order_from_json`."""
        engine = asdict(self.engine)
        if isinstance(self.engine, EngineSpec):
            engine["python"] = str(self.engine.python)
        return {
            "life": self.life,
            "model": asdict(self.model),
            "is_emulated": isinstance(self.engine, EmulationSpec),
            "engine": engine,
            "share": asdict(self.share),
            "api_key": self.api_key,
        }


def order_from_json(value: Mapping[str, Any]) -> LifeOrder:
    """Return the order that was written by `to_json`."""
    return LifeOrder(
        life=value["life"],
        model=ModelSpec(**value["model"]),
        engine=_engine(value["engine"], value["is_emulated"]),
        share=NodeShare(**value["share"]),
        api_key=value["api_key"],
    )


def _engine(value: Mapping[str, Any], is_emulated: bool) -> EngineSpec | EmulationSpec:
    fields: dict[str, Any] = {**value, "arguments": tuple(value["arguments"])}
    if is_emulated:
        return EmulationSpec(**fields)
    fields["kind"] = EngineKind(value["kind"])
    fields["python"] = Path(value["python"])
    fields["cores"] = tuple(value["cores"])
    return EngineSpec(**fields)

"""Parameters and switches of the policy."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from cato_backend.errors import ConfigError


@dataclass(frozen=True, slots=True)
class CatoOptions:
    """Parameters, and one switch for each mechanism, for the ablation table."""

    outstanding_steps: float = 16.0
    """Predicted prefill that a replica may have ahead of it when it is sent more, in its own decode
    steps: a slow replica's queue is as deep as a fast one's."""
    outstanding_share: float = 0.5
    """The same, but no more than this share of the time that the most urgent class has for its
    first token: what is ahead of a completion must leave it time for its own prompt."""
    outstanding_least_steps: float = 4.0
    """And never less than this: an engine that gets one prompt at a time computes half-empty steps.
    """
    price: float = 0.01
    """Expected goodput, in requests, that prefill costs later requests, per decode step of time."""
    harm: float = 0.5
    """Weight of the expected loss of what is in flight."""
    work_weight: float = 16.0
    """In the queue's order, how many seconds of waiting outweigh a second of own service."""
    least_chance: float = 0.3
    """Below this chance of meeting its target a request is relegated."""
    reserved: float = 1 / 16
    """Share of a replica's slots that only completions may take: in vLLM a waiting request never
    displaces a running one, and a completion cannot wait for one to end."""
    spare: float = 0.5
    """Share of a replica's slots up to which it takes work that need not run now."""
    room: float = 0.7
    """Share of the time between tokens that the next requests need, up to which such work may bring
    a replica. Without it (100), the mix at 26 and 32 requests a second met 87.5 and 81.2%; with it
    90.1 and 84.1."""
    slack: float = 3.0
    """Times its own service: an agent's turn that has more time than this runs only where a replica
    has room to spare. World 2023 of the arena met 60% without it and 79% with it, 3 and 6 alike."""
    paced: float = 0.7
    """How far a request is held to its pace whose client has declared neither class nor target: of
    the chance of its first token 1 - 0.7 is left where the pace is missed for certain. It may be a
    summary as well. World 2020 of the arena met 29% with 1 and 38 to 39% with 0.4 to 0.7. Where
    classes are declared, 0.7 lost 12 points of the mix at 40 requests a second."""
    late_binding: bool = True
    typing: bool = True
    """What is typed is sent at once, however much prefill is outstanding: the next key takes most
    of it out of the engine's queue again, at no cost."""
    work_order: bool = True
    engine_priority: bool = True
    prefix: bool = True
    in_flight: bool = True
    relegation: bool = True
    class_caps: bool = True
    long_prompts: bool = True
    fairness: bool = True

    def without(self, mechanism: str) -> CatoOptions:
        """Return the same with one mechanism off.

        Raises ConfigError where there is none of this name.
        """
        if mechanism not in MECHANISMS:
            raise ConfigError.of("ablate", mechanism, "one of " + ", ".join(MECHANISMS))
        return replace(self, **{mechanism.replace("-", "_"): False})


MECHANISMS = tuple(f.name.replace("_", "-") for f in fields(CatoOptions) if f.default is True)
"""Names of the switches."""

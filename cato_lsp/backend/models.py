"""A backend's model by `/v1/models`, a description for people, and advice on a better one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from cato_backend.wire.estimates import parameters_named
from cato_backend.wire.headers import ALIAS

LEAST_CONFIDENCE = 0.6
TINY_LEAST_CONFIDENCE = 0.0
TINY_PARAMETERS = 50_000_000
_SMALL = 3_000_000_000
"""Parameters below which a larger code model suggests visibly better code."""
_LONGEST_MS = 3_600_000.0
"""The longest budget that a backend takes."""
_LARGEST = 1e15
"""No number that a backend says of its model is believed to be larger."""
_LARGER = (
    "for better suggestions serve a larger code model (cato serve --model NAME), "
    "or set backend.url to a server that has one"
)
_TRAINED = "serve a model trained for fill-in-the-middle, such as Qwen2.5-Coder, with cato serve"


@dataclass(frozen=True, slots=True)
class Model:
    """All that the language server knows of the model.

    The defaults are those of an OpenAI server that is not CATO's backend: no fill-in-the-middle,
    no whole tasks, cancelled by closing the connection.
    """

    name: str
    """What to ask for."""
    tasks: frozenset[str] = frozenset({"completion", "generation"})
    max_prompt_tokens: int = 2048
    chars_per_token: float = 3.0
    fills_in_the_middle: bool = False
    suffix_first: bool = False
    """Whether prompts begin with what stands behind the cursor."""
    cancels: bool = False
    """Whether it is CATO's backend: there are `/v1/requests/{id}/cancel` and the field `cato`."""
    follows_instructions: bool = False
    """Whether whole tasks ask it in a chat."""
    instruct_note: str = ""
    """Why that is believed; empty where the backend does not say."""
    whole_tasks: frozenset[str] = frozenset()
    """What `/v1/tasks` does usefully with it."""
    whole_tasks_note: str = ""
    """The requirements of the other tasks."""
    own_name: str = ""
    """Where `name` is an alias."""
    parameters: int | None = None
    """How large it is; None where it is not known."""
    needed_ms: Mapping[str, float] = field(default_factory=dict[str, float])
    """By class, the targets that its hardware can meet; only those longer than configured."""

    @property
    def least_confidence(self) -> float:
        """The confidence below which a suggestion is cut where no setting says it.

        A very small model is right more often than it is sure.
        """
        is_tiny = self.parameters is not None and self.parameters < TINY_PARAMETERS
        return TINY_LEAST_CONFIDENCE if is_tiny else LEAST_CONFIDENCE

    @property
    def title(self) -> str:
        """What a person calls it."""
        return self.own_name or self.name

    @property
    def prompt_characters(self) -> int:
        """How many characters a prompt may hold."""
        return int(self.max_prompt_tokens * self.chars_per_token)


def choose(listing: object) -> Model | None:
    """Return the model to ask for: the alias `cato` if it is served, else the first one listed."""
    entries = _entries(listing)
    if not entries:
        return None
    entry = next((entry for entry in entries if entry.get("id") == ALIAS), entries[0])
    name, root, said = (entry.get(key) for key in ("id", "root", "cato"))
    if not isinstance(name, str):
        return None
    if not isinstance(said, dict):
        # What other servers call the root may be a folder of theirs.
        return Model(name, parameters=parameters_named(name))
    own_name = root if isinstance(root, str) and root != name else ""
    return _described(Model(name, own_name=own_name), cast("Mapping[str, Any]", said))


def _described(plain: Model, said: Mapping[str, Any]) -> Model:
    parameters = _positive(said.get("parameters"))
    tokens, ratio, tasks = (said.get(k) for k in ("max_prompt_tokens", "chars_per_token", "tasks"))
    return Model(
        name=plain.name,
        own_name=plain.own_name,
        parameters=parameters_named(plain.title) if parameters is None else int(parameters),
        tasks=frozenset(map(str, cast("list[object]", tasks)))
        if isinstance(tasks, list)
        else plain.tasks,
        max_prompt_tokens=int(_positive(tokens) or plain.max_prompt_tokens),
        chars_per_token=_positive(ratio) or plain.chars_per_token,
        fills_in_the_middle=bool(said.get("fim_order")),
        suffix_first=said.get("fim_order") == "suffix_first",
        cancels=True,
        follows_instructions=said.get("follows_instructions") is True,
        instruct_note=str(said.get("instruct_note") or ""),
        whole_tasks=_names(said.get("whole_tasks")),
        whole_tasks_note=str(said.get("whole_tasks_note") or ""),
        needed_ms=_needed_ms(said.get("targets")),
    )


def _needed_ms(targets: object) -> Mapping[str, float]:
    """Return the targets that the backend has made longer, in milliseconds by class."""
    if not isinstance(targets, dict):
        return {}
    found: dict[str, float] = {}
    for task, target in cast("Mapping[str, object]", targets).items():
        said: Mapping[str, Any] = (
            cast("Mapping[str, Any]", target) if isinstance(target, dict) else {}
        )
        needed = _positive(said.get("e2e_ms")) or _positive(said.get("ttft_ms"))
        if needed is not None and needed <= _LONGEST_MS and (_positive(said.get("times")) or 0) > 1:
            found[task] = needed
    return found


def _names(value: object) -> frozenset[str]:
    return (
        frozenset(map(str, cast("list[object]", value))) if isinstance(value, list) else frozenset()
    )


def _positive(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 < value < _LARGEST else None


def _entries(listing: object) -> list[Mapping[str, Any]]:
    data = cast("Mapping[str, Any]", listing).get("data") if isinstance(listing, dict) else None
    entries = cast("list[object]", data) if isinstance(data, list) else []
    return [cast("Mapping[str, Any]", entry) for entry in entries if isinstance(entry, dict)]


def described(title: str, parameters: int | None) -> str:
    """Return a model's name and size, such as `Qwen2.5-Coder-7B, 7B parameters`."""
    size = size_of(parameters)
    return f"{title}, {size} parameters" if size else title


def size_of(parameters: int | None) -> str:
    """Return a size such as `7B`, `1.5B` or `5M`; empty while it is not known."""
    if parameters is None:
        return ""
    # From here on the millions would round to 1,000.
    if parameters >= 999_500_000:
        return f"{parameters / 1e9:.1f}".removesuffix(".0") + "B"
    return f"{max(round(parameters / 1e6), 1)}M"


def advice(model: Model) -> str:
    """Return how to get a better model; empty if there is nothing to say."""
    if not model.fills_in_the_middle:
        return f"the model does not see the code behind the cursor: {_TRAINED}"
    if model.parameters is not None and model.parameters < _SMALL:
        return f"the model is small: {_LARGER}"
    return ""

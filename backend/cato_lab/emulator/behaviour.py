"""The behaviour of an emulated vLLM: model, answers, faults. It can be changed at run time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from cato_lab.emulator.faults import Fault


@dataclass(frozen=True, slots=True)
class Behaviour:
    """The model, the flags that show in answers, fixed times, and faults. Times in milliseconds."""

    model: str = "cato-embedded"
    max_model_len: int = 4096
    adapters: tuple[str, ...] = ()
    """LoRA adapters that are loaded: listed with the model as their parent, and served."""
    aliases: tuple[str, ...] = ()
    """Further names of the model itself, as `--served-model-name` takes them."""
    chat_template: bool = True
    system_message: bool = True
    """False: the chat template raises for one, as Gemma's does."""
    prompt_tokens_details: bool = True
    """`--enable-prompt-tokens-details`: the usage includes the cached tokens."""
    priority_scheduling: bool = True
    """`--scheduling-policy priority`; without it a priority other than 0 is refused."""
    api_key: str = ""
    """Required by all paths that begin with /v1, as vLLM does with `--api-key`."""
    takes_logprobs: bool = True
    """False: a request for them is refused, as other servers do."""
    tells_logprobs: bool = True
    """False: they are null though they were asked for, as of servers that do not know them."""

    ttft_ms: float = 0.0
    """From a sequence's start to its first token. This time and the next three hold only where no
    profile gives the times."""
    itl_ms: float = 0.0
    """From one token to the next."""
    prefill_ms_per_1k_tokens: float = 0.0
    """Added to `ttft_ms` for prompt tokens that the prefix cache does not hold."""
    max_num_seqs: int = 256
    """Sequences that run at once; the others wait."""

    reply: str | None = None
    """The text to answer with; a prompt that ends with a part of it is answered with the rest."""
    replies: tuple[str, ...] = ()
    """The texts of the next requests, one each, before `reply`."""
    parses: bool = False
    """`--reasoning-parser qwen3 --tool-call-parser hermes`: what the model thinks and calls in a
    chat is told apart from what it says."""
    document: str | None = None
    """The true text: a prompt (or its fill-in-the-middle prefix) found in it is continued."""
    logprobs: Mapping[str, float] = field(default_factory=dict[str, float])
    """Token of `reply` to its log probability, where that is not 0."""
    stamped: bool = False
    """Each token's text is the monotonic clock in nanoseconds when it was sent."""

    sleep_mode: bool = False
    """As with `--enable-sleep-mode` and VLLM_SERVER_DEV_MODE=1."""
    sleep_ms: float = 0.0
    wake_ms: float = 0.0

    faults: tuple[Fault, ...] = ()
    """The first of them strikes the next request; one that has struck `times` is dropped."""
    healthy: bool = True
    listening: bool = True
    """False: as when the process was killed: connections are reset, new ones refused. Only
    the control address can then answer, and set it back."""
    accepting: bool = True
    """False: as a server that shuts down gracefully: new connections are refused, idle ones are
    closed, and streams under way continue."""
    deadly: str = ""
    """A request whose body contains this kills the server before its first token: as `listening`
    set to False."""
    requests_per_connection: int | None = None
    """A connection is reset by the request after so many: the peer had closed it meanwhile."""
    listings: tuple[str, ...] = ()
    """What `/v1/models` answers instead of the truth, one body after the other; the truth
    follows."""
    metric_values: Mapping[str, str] = field(default_factory=dict[str, str])
    """Values of `/metrics` instead of the true ones; an empty text leaves the name out."""

    @property
    def open(self) -> bool:
        """Whether new connections are accepted."""
        return self.listening and self.accepting

    def changed(self, values: Mapping[str, Any]) -> Behaviour:
        """Return a copy with some fields replaced, as they come in JSON.

        Raises KeyError, TypeError or ValueError.
        """
        known = {each.name for each in fields(self)}
        if unknown := values.keys() - known:
            raise ValueError(f"unknown fields {sorted(unknown)}")
        if "faults" in values:
            values = {**values, "faults": _faults(values["faults"])}
        return replace(self, **values)

    def next_fault(self) -> tuple[Fault | None, Behaviour]:
        """Return the fault of the next request, and the behaviour after that request."""
        if not self.faults or self.faults[0].times is None:
            return (self.faults[0] if self.faults else None), self
        struck, *others = self.faults
        left = (self.faults[0].times or 0) - 1
        remaining = (replace(struck, times=left), *others) if left > 0 else tuple(others)
        return struck, replace(self, faults=remaining)


def _faults(values: Iterable[Mapping[str, Any] | Fault]) -> tuple[Fault, ...]:
    return tuple(each if isinstance(each, Fault) else Fault.of(each) for each in values)

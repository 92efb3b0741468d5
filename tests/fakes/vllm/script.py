"""What the fake does: its speed, its text, its faults. All of it can be changed while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any

from cato_lab.emulator.served import Served


class FaultKind(StrEnum):
    """How a request goes wrong."""

    RESET = "reset"
    """The connection is reset before any response."""
    ERROR = "error"
    """An HTTP error before the stream."""
    HANG = "hang"
    """Nothing is answered, not even headers, and the connection stays open."""
    HTML = "html"
    """A page, as a proxy in front of the server may send, with the status that the fault names."""
    STREAM_ERROR = "stream_error"
    """An error within an answer of status 200, in one of its forms; a stream then has [DONE]."""
    DIE = "die"
    """The connection is reset after some tokens, as when the process is killed."""
    TRUNCATE = "truncate"
    """The stream ends after some tokens without a finish reason."""
    STALL = "stall"
    """No token comes after these, and the connection stays open."""
    MALFORMED = "malformed"
    """An event that is no JSON, in place of a token's."""


class ErrorForm(StrEnum):
    """How servers tell of an error in an answer that has begun."""

    OPENAI = "openai"
    """`{"error": {...}}`: vLLM since 0.11, SGLang."""
    BARE = "bare"
    """`{"object": "error", "message": ...}`: vLLM before 0.11, LMDeploy."""
    TEXT = "text"
    """`{"error": "..."}`: TGI, Ollama."""
    DETAIL = "detail"
    """`{"detail": "..."}`: FastAPI."""
    NAMED = "named"
    """`event: error` with an object of OpenAI's."""
    NAMED_TEXT = "named_text"
    """`event: error` with plain text."""
    FIELD = "field"
    """`error: {...}`, a field of the event: llama.cpp."""
    ABORT = "abort"
    """The finish reason `abort`: vLLM whose engine is stopped or put to sleep."""
    ERROR = "error"
    """The finish reason `error`."""
    NO_REASON = "no_reason"
    """Nothing; a stream has its [DONE] nevertheless."""

    @property
    def is_finish_reason(self) -> bool:
        """Whether it is told by a chunk with this finish reason."""
        return self in (ErrorForm.ABORT, ErrorForm.ERROR)


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault, after how many tokens it strikes, and how many requests it hits (None = each)."""

    kind: FaultKind
    after_tokens: int = 0
    status: int = 500
    times: int | None = None
    form: ErrorForm = ErrorForm.OPENAI
    retry_after: str = ""
    """The header of this name, of an HTTP error or a page."""


@dataclass(frozen=True, slots=True)
class Script:
    """The fake's behaviour. Times in milliseconds."""

    model: str = "cato-embedded"
    max_model_len: int = 4096
    adapters: tuple[str, ...] = ()
    """LoRA adapters that are loaded: listed with the model as their parent, and served."""
    aliases: tuple[str, ...] = ()
    """Further names of the model itself, as `--served-model-name` takes them."""
    listings: tuple[str, ...] = ()
    """What `/v1/models` answers in place of the truth, one body after the other; the truth
    follows."""
    api_key: str = ""
    """Asked for by all that begins with /v1, as vLLM does with `--api-key`."""
    ttft_ms: float = 0.0
    itl_ms: float = 0.0
    prefill_ms_per_1k_tokens: float = 0.0
    """Added to the TTFT for prompt tokens that the prefix cache does not hold."""
    max_num_seqs: int = 256
    tokens_per_chunk: int = 1
    reply: str | None = None
    """The text to answer with; a prompt that ends with a part of it is answered with the rest."""
    document: str | None = None
    """The true text: a prompt (or its fill-in-the-middle prefix) found in it is continued."""
    logprobs: Mapping[str, float] = field(default_factory=dict[str, float])
    """Token of `reply` or `document` to its log probability, where that is not 0."""
    takes_logprobs: bool = True
    """False: a request for them is refused, as other servers do."""
    tells_logprobs: bool = True
    """False: they are null though they were asked for."""
    stamped: bool = False
    """Each token's text is the monotonic clock in nanoseconds when it was sent."""
    chat_template: bool = True
    healthy: bool = True
    listening: bool = True
    """False: as when the process was killed: connections are reset, new ones refused. Only
    `control_url` can answer that it was set, and set it back."""
    accepting: bool = True
    """False: as a server that shuts down gracefully: new connections are refused, idle ones are
    closed, and streams under way go on."""
    usage_factor: float = 1.0
    """Reported token counts are multiplied by this: a server whose usage lies."""
    metric_values: Mapping[str, str] = field(default_factory=dict[str, str])
    """What `/metrics` says of these names instead: any text, or nothing for a name left out."""
    prompt_tokens_details: bool = True
    priority_scheduling: bool = True
    """False: a priority is refused, as without `--scheduling-policy priority`."""
    requests_per_connection: int | None = None
    """A connection is reset by the request after so many: the peer had closed it meanwhile."""
    fault: Fault | None = None
    deadly: str = ""
    """A request whose body contains this kills the server before its first token: as `listening`
    set to False."""

    @property
    def served(self) -> Served:
        """The part of it that shows in answers."""
        return Served(
            self.model,
            self.max_model_len,
            self.chat_template,
            self.prompt_tokens_details,
            self.priority_scheduling,
            self.tells_logprobs,
        )

    def changed(self, values: Mapping[str, Any]) -> Script:
        """A copy with some fields replaced, as they come in JSON. Raises ValueError."""
        known = {field.name for field in fields(self)}
        if unknown := values.keys() - known:
            raise ValueError(f"unknown fields {sorted(unknown)}")
        plain = {name: value for name, value in values.items() if name != "fault"}
        if "fault" not in values:
            return replace(self, **plain)
        return replace(self, **plain, fault=_fault(values["fault"]))


def _fault(value: Mapping[str, Any] | Fault | None) -> Fault | None:
    if value is None or isinstance(value, Fault):
        return value
    form = ErrorForm(value.get("form", ErrorForm.OPENAI))
    return Fault(**{**value, "kind": FaultKind(value["kind"]), "form": form})

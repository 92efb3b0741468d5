"""The fields of a profile file, with their units in their names, checked strictly.

`profiles/<hardware>/<model>.json` is the JSON of one `ProfileFile`. A file of another schema is
refused, never guessed at: a wrong latency law is worse than none.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cato_backend.profile_files.profile import DEFAULT_SPREAD, EngineLimits, Form, Profile, StepLaw

SCHEMA = 1

Text = Annotated[str, Field(min_length=1, max_length=2000)]
Percent = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _seconds(most: float) -> object:
    """Return a duration; above `most` it was surely written in another unit."""
    return Field(ge=0, le=most, allow_inf_nan=False)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class LawData(_Frozen):
    """The step law, in seconds and seconds per unit."""

    form: Form
    base_s: Annotated[float, _seconds(5)]
    weights_s: Annotated[float, _seconds(5)] = 0.0
    per_new_token_s: Annotated[float, _seconds(0.1)] = 0.0
    per_sequence_s: Annotated[float, _seconds(0.1)] = 0.0
    per_kv_token_s: Annotated[float, _seconds(0.001)] = 0.0
    per_attention_s: Annotated[float, _seconds(0.0001)] = 0.0
    """Per pair of a prefill token and a token of its context."""

    @model_validator(mode="after")
    def _takes_time(self) -> LawData:
        if not self.base_s + self.weights_s + self.per_new_token_s + self.per_sequence_s:
            raise ValueError("a step that takes time: no coefficient of base or token is above 0")
        return self

    def law(self) -> StepLaw:
        """As a value."""
        return StepLaw(
            form=self.form,
            base=self.base_s,
            weights=self.weights_s,
            per_new_token=self.per_new_token_s,
            per_sequence=self.per_sequence_s,
            per_kv_token=self.per_kv_token_s,
            per_attention=self.per_attention_s,
        )

    @classmethod
    def of(cls, law: StepLaw) -> LawData:
        """From a value."""
        return cls(
            form=law.form,
            base_s=law.base,
            weights_s=law.weights,
            per_new_token_s=law.per_new_token,
            per_sequence_s=law.per_sequence,
            per_kv_token_s=law.per_kv_token,
            per_attention_s=law.per_attention,
        )


class LimitsData(_Frozen):
    """vLLM's limits."""

    max_num_seqs: int = Field(ge=1)
    max_num_batched_tokens: int = Field(ge=1)
    kv_cache_tokens: int = Field(ge=1)
    block_size_tokens: int = Field(ge=1)
    max_model_len_tokens: int = Field(ge=1)
    long_prefill_token_threshold: int = Field(default=0, ge=0)

    def limits(self) -> EngineLimits:
        """As a value."""
        return EngineLimits(
            max_num_seqs=self.max_num_seqs,
            max_num_batched_tokens=self.max_num_batched_tokens,
            kv_tokens=self.kv_cache_tokens,
            block_size=self.block_size_tokens,
            max_model_len=self.max_model_len_tokens,
            long_prefill_token_threshold=self.long_prefill_token_threshold,
        )

    @classmethod
    def of(cls, limits: EngineLimits) -> LimitsData:
        """From a value."""
        return cls(
            max_num_seqs=limits.max_num_seqs,
            max_num_batched_tokens=limits.max_num_batched_tokens,
            kv_cache_tokens=limits.kv_tokens,
            block_size_tokens=limits.block_size,
            max_model_len_tokens=limits.max_model_len,
            long_prefill_token_threshold=limits.long_prefill_token_threshold,
        )


class EngineData(_Frozen):
    """The engine that the law describes."""

    name: Text
    version: Text
    flags: tuple[str, ...] = Field(default=(), strict=False)


class Provenance(_Frozen):
    """How, when and on what the profile was made."""

    method: Literal["measured", "kernel-tables", "roofline", "learned"]
    how: Text
    date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]


class Check(_Frozen):
    """A check of the law on data that it was not fitted to. Errors are absolute percentages."""

    quantity: Literal["step", "ttft", "tpot", "e2e"]
    against: Text
    cells: int = Field(ge=1)
    mean_error_percent: Percent
    p90_error_percent: Percent
    spread_percent: Percent | None = None
    """How much the same measurement differs from one time to the next."""


class ProfileFile(_Frozen):
    """The whole file."""

    schema_version: Literal[1]
    model: Text
    hardware: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
    law: LawData
    limits: LimitsData
    kv_bytes_per_token: int | None = Field(ge=1)
    start_s: Annotated[float, _seconds(3600)]
    """From the launch of a replica to its first answer."""
    engine: EngineData
    made: Provenance
    validation: Literal["unvalidated"] | Annotated[tuple[Check, ...], Field(strict=False)]
    spread_percent: Percent | None = None
    """Relative standard deviation of its times from those of the replicas that it is used for; that
    of the shipped profiles where it is not given."""

    def profile(self) -> Profile:
        """Return what deciding needs of it."""
        return Profile(
            model=self.model,
            hardware=self.hardware,
            law=self.law.law(),
            limits=self.limits.limits(),
            start_s=self.start_s,
            spread=DEFAULT_SPREAD if self.spread_percent is None else self.spread_percent / 100,
        )

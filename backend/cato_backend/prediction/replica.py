"""One replica's predictions: its profile's law, corrected by what its streams have shown."""

from __future__ import annotations

from cato_backend.prediction.correction import LinearCorrection
from cato_backend.prediction.service import ReplicaState, ServiceModel, Work
from cato_backend.profile_files.profile import Profile


class ReplicaPredictor:
    """Seconds, corrected; and what is observed, to correct the next.

    To learn, the caller keeps the law's own word (`service`) with the request, and hands it back
    together with what happened. First tokens and later ones are corrected apart: the former carry
    what surrounds the engine (HTTP, the tokenizer, its queue), the latter only its steps.
    """

    def __init__(self, profile: Profile) -> None:
        self.service = ServiceModel.of(profile)
        """Uncorrected."""
        self._first = LinearCorrection()
        self._later = LinearCorrection()

    def ttft_s(self, state: ReplicaState, work: Work) -> float:
        """From sending to the first token."""
        return self._first.apply(self.service.ttft_s(state, work))

    def token_s(self, sequences: int, kv_tokens: float, prefill_rate: float = 0.0) -> float:
        """Between two tokens of a stream."""
        return self._later.apply(self.service.token_s(sequences, kv_tokens, prefill_rate))

    def decode_s(self, state: ReplicaState, tokens: float) -> float:
        """For so many further tokens of a sequence that decodes beside the `decoding` others."""
        steps = self.service.decode_s(state, tokens)
        return self._later.scale * steps + self._later.offset_s * tokens

    def e2e_s(self, state: ReplicaState, work: Work) -> float:
        """From sending to the last token."""
        tokens = max(0.0, work.output - 1)
        after = self._later.scale * self.service.after_first_s(state, work)
        return self.ttft_s(state, work) + after + self._later.offset_s * tokens

    def stall_s(self, state: ReplicaState, work: Work) -> float:
        """How much later those that decode get their tokens because this prompt is computed."""
        return self._later.scale * self.service.stall_s(state, work)

    def observe_first(self, law_s: float, observed_s: float) -> None:
        """A first token came `observed_s` after sending; `service.ttft_s` had said `law_s`."""
        self._first.observe(law_s, observed_s)

    def observe_token(self, law_s: float, observed_s: float) -> None:
        """Tokens of a stream came `observed_s` apart, in the mean over some of them, where
        `service.token_s` says `law_s`."""
        self._later.observe(law_s, observed_s)

"""Whether the backend's engine tells how sure it is of each token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cato_lsp.backend.failures import Refused

if TYPE_CHECKING:
    from cato_lsp.backend.client import BackendClient
    from cato_lsp.session.generation import Generation


class Confidence:
    """What the answers have shown of it; a new connection is asked from the start.

    Servers may refuse the question, or ignore it and answer without log probabilities.
    """

    def __init__(self) -> None:
        self._client: BackendClient | None = None
        self._tells = False

    def may_tell(self, client: BackendClient) -> bool:
        """Whether it is worth asking: this backend has not shown that it does not tell."""
        return client is not self._client or self._tells

    def tells(self, client: BackendClient) -> bool:
        """Whether this backend has told it."""
        return client is self._client and self._tells

    def observe(self, client: BackendClient, generation: Generation) -> None:
        """Learns from an answer that was asked to tell it."""
        refused = isinstance(generation.failure, Refused) and "logprob" in str(generation.failure)
        if refused or generation.text:
            self._client = client
            told = any(token.logprob is not None for token in generation.answer().tokens)
            self._tells = told and not refused

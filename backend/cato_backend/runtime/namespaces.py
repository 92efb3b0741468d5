"""Request ids as the scheduler and the replicas see them: each token's apart from the others'."""

from __future__ import annotations


class Namespaces:
    """Makes ids of different tenants distinct, always in the same way.

    Were it done only where two are the same, an id in an answer would tell that another token uses
    it.
    """

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def internal(self, tenant: str, request_id: str) -> str:
        """Return the id that no other tenant's request has. Without tokens there is one tenant."""
        if not tenant:
            return request_id
        return f"{request_id}~{self._numbers.setdefault(tenant, len(self._numbers))}"

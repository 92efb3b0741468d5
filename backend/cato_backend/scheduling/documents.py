"""Which live requests belong to which document, for supersession."""

from __future__ import annotations

from collections import defaultdict

from cato_backend.requests import Origin, Request


class DocumentIndex:
    """Live requests by token, session and document; requests without a document are not held."""

    def __init__(self) -> None:
        self._live: defaultdict[Origin, dict[str, Request]] = defaultdict(dict)

    def add(self, request: Request) -> None:
        """The request is live from now on."""
        if request.origin.document:
            self._live[request.origin][request.id] = request

    def remove(self, request: Request) -> None:
        """The request is no longer live."""
        requests = self._live.get(request.origin)
        if requests is not None:
            requests.pop(request.id, None)
            if not requests:
                del self._live[request.origin]

    def of_same_document(self, request: Request) -> tuple[Request, ...]:
        """The live requests of the same token, session and document, oldest first."""
        return tuple(self._live.get(request.origin, {}).values())

"""The interface of a connection to a client that features use."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from cattrs import Converter
from lsprotocol import types

if TYPE_CHECKING:
    from cato_lsp.session.session import Session
    from cato_lsp.suggestions.service import CompletionService


class ClientConnection(Protocol):
    """One connection: its state, its services, and messages to the client.

    The methods are those of pygls' server, as far as features need them.
    """

    @property
    def session(self) -> Session:
        """The state of the connection."""
        ...

    @property
    def completions(self) -> CompletionService:
        """The completion service; it is made when it is first needed."""
        ...

    @property
    def converter(self) -> Converter:
        """Reads the params of CATO's own methods."""
        ...

    @property
    def client_capabilities(self) -> types.ClientCapabilities:
        """The client's capabilities from `initialize`."""
        ...

    @property
    def position_encoding(self) -> str | None:
        """What positions are counted in, as agreed in `initialize`."""
        ...

    @property
    def client_gone(self) -> asyncio.Event:
        """Set once the client's process has ended."""
        ...

    def load_features(self) -> None:
        """Import the features that `initialize` did not wait for. Meant for a thread."""
        ...

    def warn(self, text: str) -> None:
        """Show the person what went wrong, and log it."""
        ...

    def trace(self) -> None:
        """Log as much as the settings want."""
        ...

    def leave(self) -> None:
        """End the connection after the message that is being handled."""
        ...

    def progress(self, params: types.ProgressParams) -> None:
        """Send `$/progress`."""
        ...

    def client_register_capability(self, params: types.RegistrationParams) -> object:
        """Send `client/registerCapability`."""
        ...

    def client_unregister_capability(self, params: types.UnregistrationParams) -> object:
        """Send `client/unregisterCapability`."""
        ...

    def workspace_code_lens_refresh(self, params: None) -> object:
        """Send `workspace/codeLens/refresh`."""
        ...

    def refresh_lenses(self) -> None:
        """Have the client ask for code lenses again if there are others now."""
        ...

    async def workspace_configuration_async(
        self, params: types.ConfigurationParams
    ) -> Sequence[Any | None]:
        """Ask for `workspace/configuration`. Raises JsonRpcException."""
        ...

    async def workspace_apply_edit_async(
        self, params: types.ApplyWorkspaceEditParams
    ) -> types.ApplyWorkspaceEditResult:
        """Ask for `workspace/applyEdit`. Raises JsonRpcException."""
        ...

    async def window_work_done_progress_create_async(
        self, params: types.WorkDoneProgressCreateParams
    ) -> None:
        """Ask for `window/workDoneProgress/create`. Raises JsonRpcException."""
        ...

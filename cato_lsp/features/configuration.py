"""`workspace/didChangeConfiguration`, and asking for the configuration."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from cato_lsp.protocol.clients import answers_configuration, watches_configuration

if TYPE_CHECKING:
    from cato_lsp.features.connection import ClientConnection

log = logging.getLogger(__name__)

SECTION = "cato"
ANSWER_S = 5.0


async def did_change(
    connection: ClientConnection, params: types.DidChangeConfigurationParams
) -> None:
    """The settings changed; what came along is used only where they cannot be asked for."""
    await read(connection, params.settings)


def watch(connection: ClientConnection) -> None:
    """Asks to be told of changes, where the client tells only those who ask."""
    if watches_configuration(connection.client_capabilities):
        registration = types.Registration(
            "cato-configuration",
            types.WORKSPACE_DID_CHANGE_CONFIGURATION,
            types.DidChangeConfigurationRegistrationOptions(SECTION),
        )
        connection.client_register_capability(types.RegistrationParams([registration]))


async def read(connection: ClientConnection, pushed: object) -> None:
    """Reads and applies the settings; `pushed` is what a notification carried."""
    if not answers_configuration(connection.client_capabilities):
        _apply(connection, _section(pushed))
        return
    asked = asyncio.ensure_future(_asked(connection))
    done, _ = await asyncio.wait([asked], timeout=ANSWER_S)
    if not done:
        log.warning("the client has not given its configuration: it is not waited for")
        connection.session.keep_running(_apply_late(connection, asked))
    _apply(connection, asked.result() if done else None)


async def _apply_late(connection: ClientConnection, asked: asyncio.Future[object]) -> None:
    _apply(connection, await asked)


def _apply(connection: ClientConnection, section: object) -> None:
    complaints = connection.session.configure(section)
    connection.trace()
    for complaint in complaints:
        connection.warn(str(complaint))


async def _asked(connection: ClientConnection) -> object:
    item = types.ConfigurationItem(section=SECTION)
    answers: object
    try:
        answers = await connection.workspace_configuration_async(types.ConfigurationParams([item]))
    except JsonRpcException as error:
        log.warning("the client did not give its configuration: %s", type(error).__name__)
        return None
    return answers[0] if answers and isinstance(answers, list | tuple) else None


def _section(settings: object) -> object:
    return (
        cast("Mapping[str, object]", settings).get(SECTION)
        if isinstance(settings, Mapping)
        else None
    )

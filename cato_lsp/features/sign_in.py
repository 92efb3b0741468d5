"""`cato/signIn` and `cato/finishSignIn`: the person signs in to the backend from the editor."""

from __future__ import annotations

import asyncio
import platform
from typing import TYPE_CHECKING, Any

from cato_lsp.backend.client import BackendClient
from cato_lsp.backend.discovery import Origin, Target, UntrustedTokens, keep_token
from cato_lsp.backend.failures import BackendFailure
from cato_lsp.backend.sign_in import DeviceSignIn, begin, finish
from cato_lsp.protocol.methods import FinishSignInParams, Token

if TYPE_CHECKING:
    from cato_lsp.features.connection import ClientConnection
    from cato_lsp.session.session import Session

_TOPIC = "sign-in"
_NO_URL = "set backend.url first: sign-in is for a team's server, your own backend needs none"
_CUT_SHORT = {"outcome": "cancelled", "message": ""}


def sign_in(
    connection: ClientConnection, message_id: Token, _params: object
) -> asyncio.Future[Any]:
    """Answer the code that the person is to confirm, and where."""
    return connection.session.requests.start(message_id, _begun(connection.session))


def finish_sign_in(
    connection: ClientConnection, message_id: Token, params: FinishSignInParams
) -> asyncio.Future[Any]:
    """Answer once the person has confirmed the code; a newer request ends an older one."""
    session = connection.session
    return session.requests.start(
        message_id, _finished(session, keep=params.keep), topic=_TOPIC, if_cut_short=_CUT_SHORT
    )


async def _begun(session: Session) -> dict[str, Any]:
    url = session.settings.backend.url
    if not url:
        return _failed(_NO_URL)
    name = f"{session.editor or 'an editor'} on {platform.node()}"
    try:
        async with _client(url) as client:
            device = await begin(client, name)
    except BackendFailure as failure:
        return _failed(str(failure))
    session.sign_in = device
    return {
        "outcome": "ok",
        "message": "",
        "backendUrl": device.url,
        "userCode": device.user_code,
        "verificationUri": device.page,
        "verificationUriComplete": device.page_with_code,
        "expiresInS": device.expires_s,
    }


async def _finished(session: Session, *, keep: bool) -> dict[str, Any]:
    """`keep`: whether the token is kept here, else it is the client's."""
    device, session.sign_in = session.sign_in, None
    if device is None:
        return _failed("no sign-in has begun")
    try:
        return await _granted(session, device, keep=keep)
    except (BackendFailure, UntrustedTokens, OSError) as failure:
        return _failed(str(failure))


async def _granted(session: Session, device: DeviceSignIn, *, keep: bool) -> dict[str, Any]:
    async with _client(device.url) as client:
        granted = await finish(client, device)
    if keep:
        await asyncio.to_thread(keep_token, device.url, granted.token)
        session.link.look_again()
    return {
        "outcome": "ok",
        "message": "",
        "backendUrl": device.url,
        "person": granted.person,
        "expiresInS": granted.expires_s,
        "token": None if keep else granted.token,
    }


def _client(url: str) -> BackendClient:
    return BackendClient(Target(url, None, Origin.SETTINGS))


def _failed(message: str) -> dict[str, Any]:
    return {"outcome": "failed", "message": message}

"""Connections to the announced process only, and explanations of failed ones.

Another process that listens at the address after the announced one has ended gets neither code nor
token.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
from ssl import SSLCertVerificationError
from typing import cast

import aiohttp

from cato_backend.wire.discovery import (
    IDENTITY_PATH,
    Announcement,
    UntrustedAnnouncement,
    discover,
    is_proof,
    new_nonce,
)
from cato_lsp.backend.failures import Unreachable

CHALLENGE_S = 5.0

_LONGEST_ANSWER = 4096

_TRUST = (
    "set SSL_CERT_FILE in your environment to a PEM file with the certificate of its"
    " authority, or with its own"
)

_WANTS_TLS = "does it want https://? write it in backend.url"

_WANTS_PLAIN = "try http:// in backend.url"

_WRONG_NAME = frozenset({62, 64})
"""OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH."""

_OUT_OF_DATE = frozenset({9, 10})
"""OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED."""


class NotAnnounced(aiohttp.ClientError):
    """The process that listens at the address is not the announced one."""


class AnnouncedOnly:
    """Middleware of an aiohttp client whose requests all go to the announced address.

    The process proves itself once. A process that listens there keeps the address until it ends or
    withdraws its announcement, and both are looked for before each request.
    """

    def __init__(self, announcement: Announcement) -> None:
        self._announcement = announcement
        self._proving = asyncio.Lock()
        self._is_proven = False

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Send a request. Raises NotAnnounced, and what the challenge or the request raises."""
        async with self._proving:
            if not self._is_proven:
                await _challenge(self._announcement)
                self._is_proven = True
        # After the challenge: the process may have ended while it was under way.
        self._check_announced()
        return await handler(request)

    def _check_announced(self) -> None:
        try:
            found = discover()
        except UntrustedAnnouncement as error:
            raise NotAnnounced(str(error)) from error
        if found is None or found.process != self._announcement.process:
            raise NotAnnounced("the backend that was announced there has ended")


async def _challenge(announcement: Announcement) -> None:
    """Raise NotAnnounced unless the server at the address knows the announcement's secret."""
    url, nonce = announcement.url.rstrip("/"), new_nonce()
    timeout = aiohttp.ClientTimeout(total=CHALLENGE_S)
    async with (
        aiohttp.ClientSession(timeout=timeout) as http,
        http.get(url + IDENTITY_PATH, params={"nonce": nonce}, allow_redirects=False) as response,
    ):
        answer = await _answer(response)
    if not is_proof(answer, announcement.secret, url, nonce):
        raise NotAnnounced("another process listens there than the one that was announced")


async def _answer(response: aiohttp.ClientResponse) -> str:
    """Return the proof that a response holds; "" where it holds none."""
    try:
        value: object = json.loads(await response.content.read(_LONGEST_ANSWER))
    except ValueError:
        return ""
    proof = cast("dict[str, object]", value).get("proof") if isinstance(value, dict) else None
    return proof if isinstance(proof, str) else ""


def unreachable(url: str, error: Exception) -> Unreachable:
    """Return the failure that `error` stands for, raised by a request to `url`."""
    reason, remedy = _explained(error, is_plain=url.startswith("http://"))
    return Unreachable(f"no answer from {url}: {reason}", remedy)


def _explained(error: Exception, *, is_plain: bool) -> tuple[str, str]:
    if isinstance(error, NotAnnounced):
        return str(error), "nothing was sent to it"
    # Before its base class: the errno of a refused certificate reads "Operation not permitted".
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return _certificate(error.certificate_error)
    if isinstance(error, aiohttp.ClientConnectorDNSError | UnicodeError):
        reason = "its name cannot be resolved"
        return reason, "check the host in backend.url, and the network"
    if isinstance(error, aiohttp.ClientSSLError):
        return "it does not speak TLS, or not as expected", _WANTS_PLAIN
    if isinstance(error, aiohttp.InvalidURL):
        return "that is no address", "expected one such as http://localhost:8710"
    if isinstance(error, aiohttp.ClientConnectorError):
        return _connecting(error.os_error)
    if isinstance(error, TimeoutError):
        return "it took too long", "is it overloaded, or does a firewall drop packets to it?"
    if is_plain and isinstance(error, aiohttp.ServerDisconnectedError | OSError):
        return "it closed the connection at once", _WANTS_TLS
    if is_plain and isinstance(error, aiohttp.ClientResponseError):
        return "it does not answer in plain HTTP", _WANTS_TLS
    return "it broke off the connection", "read the log of the server"


def _certificate(error: Exception) -> tuple[str, str]:
    if not isinstance(error, SSLCertVerificationError):
        return "its certificate cannot be read", "the certificate has to be renewed"
    if error.verify_code in _WRONG_NAME:
        reason = "its certificate is for another name"
        return reason, "write the certificate's name in backend.url"
    if error.verify_code in _OUT_OF_DATE:
        reason = f"its certificate cannot be used: {error.verify_message}"
        return reason, "it has to be renewed, unless the clock of this machine is wrong"
    return f"its certificate is not trusted: {error.verify_message}", _TRUST


def _connecting(error: OSError) -> tuple[str, str]:
    if error.errno == errno.ECONNREFUSED:
        reason = "the connection was refused"
        return reason, "is the server running? else correct host and port in backend.url"
    reason = os.strerror(error.errno) if error.errno else "the connection failed"
    return reason, "check host and port in backend.url, and the network"

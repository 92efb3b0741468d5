"""Explanations of connections to a backend that fail."""

from __future__ import annotations

import errno
import os
from ssl import SSLCertVerificationError

import aiohttp

from cato_lsp.backend.failures import Unreachable
from cato_lsp.backend.identity import NotAnnounced

_TRUST = (
    "set SSL_CERT_FILE in your environment to a PEM file with the certificate of its"
    " authority, or with its own"
)
_PROXY = "check HTTPS_PROXY or HTTP_PROXY, or name the host in NO_PROXY"
_WANTS_TLS = "does it want https://? write it in backend.url"
_WANTS_PLAIN = "try http:// in backend.url"
_WRONG_NAME = frozenset({62, 64})
"""OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH."""
_OUT_OF_DATE = frozenset({9, 10})
"""OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED."""


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
    if isinstance(error, aiohttp.ClientProxyConnectionError | aiohttp.ClientHttpProxyError):
        return "the proxy of the environment does not let it through", _PROXY
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

"""Translates failed requests to a server into a reason and a remedy for people."""

from __future__ import annotations

import errno
import ssl
from http import HTTPStatus

import aiohttp

from cato_backend.errors import ReplicaUnavailable

_NO_ROUTE = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN})
_WRONG_NAME = frozenset({62, 64})
"""OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH."""
_OUT_OF_DATE = frozenset({9, 10})
"""OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED."""
_PLAIN_HTTP = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})
_KEY_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


def of_exception(error: Exception) -> ReplicaUnavailable:
    """Explain what aiohttp raised instead of an answer."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return _of_certificate(error.certificate_error)
    if isinstance(cause, ssl.SSLError):
        return _of_tls(cause)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return ReplicaUnavailable(
            "its host name cannot be resolved", "correct the host in its url, or this machine's DNS"
        )
    if isinstance(cause, TimeoutError):
        return ReplicaUnavailable(
            "it did not answer in time",
            "is it overloaded or stopped, or does a firewall drop packets to it?",
        )
    if isinstance(cause, OSError):
        return _of_os_error(cause)
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return broken_off()
    return ReplicaUnavailable(
        f"it does not answer as an HTTP server ({type(error).__name__})",
        "correct the port in its url",
    )


def of_status(status: int, path: str, *, has_key: bool, location: str = "") -> ReplicaUnavailable:
    """Explain an answer with a status other than 200."""
    said = f"{path} answered HTTP {status}"
    if status in _KEY_REFUSED:
        refused = "its API key was refused" if has_key else "it requires an API key"
        verb = "correct" if has_key else "set"
        remedy = f"{verb} `token` of this replica in cato.toml"
        return ReplicaUnavailable(f"{refused} ({said})", remedy, is_certain=True)
    if location:
        return ReplicaUnavailable(
            f"{said}, a redirection to {location}", "set its url to where it redirects"
        )
    if status == HTTPStatus.NOT_FOUND:
        return ReplicaUnavailable(said, "is its url that of an OpenAI-compatible server?")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ReplicaUnavailable(said, "it may still be loading its model; else read its log")
    return ReplicaUnavailable(said, "read its log")


def of_web_page(path: str) -> ReplicaUnavailable:
    """Explain HTML instead of JSON."""
    return ReplicaUnavailable(
        f"{path} answered HTML in place of JSON",
        "its url names a web page or a proxy: set it to that of an OpenAI-compatible server",
    )


def broken_off() -> ReplicaUnavailable:
    """Explain a connection that ended without an answer."""
    return ReplicaUnavailable(
        "it closed the connection without an answer", "read its log, and check the port in its url"
    )


def speaks_tls() -> ReplicaUnavailable:
    """Explain a server that was asked in plain HTTP and wants TLS."""
    return ReplicaUnavailable("it speaks TLS, not plain HTTP", "write https:// in its url")


def _of_tls(error: ssl.SSLError) -> ReplicaUnavailable:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _of_certificate(error)
    if error.reason in _PLAIN_HTTP:
        return ReplicaUnavailable("it speaks plain HTTP, not TLS", "write http:// in its url")
    return ReplicaUnavailable(
        f"TLS cannot be agreed on with it ({error.reason or type(error).__name__})",
        "read its log, and check scheme and port in its url",
    )


def _of_certificate(error: Exception) -> ReplicaUnavailable:
    if not isinstance(error, ssl.SSLCertVerificationError):
        return ReplicaUnavailable("its certificate cannot be read", "renew it")
    if error.verify_code in _WRONG_NAME:
        return ReplicaUnavailable(
            "its certificate is for another host name", "use the certificate's name in its url"
        )
    if error.verify_code in _OUT_OF_DATE:
        return ReplicaUnavailable(
            f"its certificate cannot be used: {error.verify_message}",
            "renew it, or correct this machine's clock",
        )
    return ReplicaUnavailable(
        f"its certificate is not trusted: {error.verify_message}",
        "set SSL_CERT_FILE in the backend's environment to a PEM file of its authority",
    )


def _of_os_error(error: OSError) -> ReplicaUnavailable:
    if isinstance(error, ConnectionRefusedError) or error.errno == errno.ECONNREFUSED:
        return ReplicaUnavailable(
            "the connection was refused",
            "start the server, or correct host and port in its url",
            is_certain=True,
        )
    if error.errno in _NO_ROUTE:
        return ReplicaUnavailable(
            "there is no route to its host", "correct the host in its url, or check the network"
        )
    if isinstance(error, ConnectionError):
        return broken_off()
    said = error.strerror or type(error).__name__
    return ReplicaUnavailable(f"it cannot be connected to: {said}", "check host, port and network")

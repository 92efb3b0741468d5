"""Errors of authentication, authorization and sign-in."""

from __future__ import annotations

from cato_backend.errors.overload import Overloaded
from cato_backend.errors.requests import InvalidRequest, RequestError


class InvalidSignIn(InvalidRequest):
    """A sign-in that cannot be trusted; `param` names what is wrong with it."""

    code = "invalid_sign_in"


class AuthorizationPending(InvalidRequest):
    """The device's code is not confirmed yet."""

    code = "authorization_pending"


class DeviceCodeExpired(InvalidRequest):
    """The device's code has expired, was used, or does not exist."""

    code = "expired_token"


class Unauthorized(RequestError):
    """The bearer token is missing or wrong."""

    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class TokenExpired(Unauthorized):
    """The bearer token has expired."""

    code = "token_expired"


class TokenRevoked(Unauthorized):
    """The bearer token was revoked."""

    code = "token_revoked"


class Forbidden(RequestError):
    """A web page's Origin, or a Host that is not ours, on a loopback address."""

    status = 403
    type = "permission_error"
    code = "forbidden_origin"


class RoleTooLow(Forbidden):
    """The person's role does not allow this."""

    code = "role_too_low"


class SignInRefused(Forbidden):
    """The provider knows the person, but they may not sign in here."""

    code = "sign_in_refused"


class DeviceDenied(Forbidden):
    """The person refused the device."""

    code = "access_denied"


class TooManySignIns(Overloaded):
    """One address asks to sign in too often, or too many devices do at once."""

    code = "too_many_sign_ins"


class PolledTooOften(Overloaded):
    """A device asks for its token more often than it was told to."""

    code = "slow_down"


class ProviderUnavailable(RequestError):
    """The provider of sign-ins does not answer."""

    status = 502
    type = "upstream_error"
    code = "provider_unavailable"


class ProviderUnusable(ProviderUnavailable):
    """The provider of sign-ins answers, but not as OpenID Connect says."""

    code = "provider_unusable"

"""A provider's metadata, and its ID tokens, checked by OpenID Connect Core, section 3.1.3.7."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from cato_backend.config.sign_in import is_secure
from cato_backend.errors import InvalidSignIn, ProviderUnusable

_ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)
"""Those whose keys are public: a secret that both know would let each forge the other's tokens."""

_REQUIRED = ("iss", "sub", "aud", "exp", "iat")

WELL_KNOWN = "/.well-known/openid-configuration"


class UnknownKey(InvalidSignIn):
    """The token is signed with a key that is not among the provider's, which may be new."""


@dataclass(frozen=True, slots=True)
class ExpectedToken:
    """The values that an ID token must have."""

    issuer: str
    client_id: str
    nonce: str
    leeway_s: float


def checked_claims(
    token: str, keys: Iterable[Mapping[str, Any]], expected: ExpectedToken
) -> dict[str, Any]:
    """Return the claims of an ID token that is signed with one of the keys, and is for us now.

    Raises InvalidSignIn, naming the claim; UnknownKey.
    """
    try:
        claims = _decoded(token, keys, expected)
    except jwt.PyJWTError as error:
        raise _explained(error, expected) from error
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce, expected.nonce):
        raise _invalid("nonce", "it belongs to another sign-in; sign in again")
    authorized = claims.get("azp", expected.client_id)
    # One of several audiences is not yet the client for which it was made.
    is_clear = "azp" in claims or claims["aud"] in (expected.client_id, [expected.client_id])
    if authorized != expected.client_id or not is_clear:
        raise _invalid("azp", f"it was issued to another client than {expected.client_id!r}")
    return claims


def _decoded(
    token: str, keys: Iterable[Mapping[str, Any]], expected: ExpectedToken
) -> dict[str, Any]:
    """Raise jwt.PyJWTError, UnknownKey."""
    header = jwt.get_unverified_header(token)
    algorithm = header.get("alg")
    if algorithm not in _ALGORITHMS:
        raise jwt.InvalidAlgorithmError
    key = jwt.PyJWK(dict(_key_for(header, keys)), algorithm=algorithm)
    return jwt.decode(
        token,
        key,
        algorithms=[algorithm],
        audience=expected.client_id,
        issuer=expected.issuer,
        leeway=expected.leeway_s,
        options={"require": list(_REQUIRED)},
    )


def _key_for(header: Mapping[str, Any], keys: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    key_id, algorithm = header.get("kid"), header.get("alg")
    signing = [key for key in keys if key.get("use", "sig") == "sig" and key.get("kty") != "oct"]
    fitting = [key for key in signing if key.get("alg", algorithm) == algorithm]
    found = [key for key in fitting if key_id is None or key.get("kid") == key_id]
    if len(found) == 1:
        return found[0]
    raise UnknownKey(
        "id_token: its key is not among those that the provider publishes", param="kid"
    )


def _explained(error: jwt.PyJWTError, expected: ExpectedToken) -> InvalidSignIn:
    match error:
        case jwt.MissingRequiredClaimError():
            return _invalid(error.claim, f"it has no {error.claim}")
        case jwt.ExpiredSignatureError():
            return _invalid(
                "exp", "it has expired; sign in again, and compare the clocks of both servers"
            )
        case jwt.ImmatureSignatureError():
            return _invalid(
                "iat",
                "it is from the future: the clocks of this server and the provider differ by more"
                f" than {expected.leeway_s:g} s (oidc.leeway_s)",
            )
        case jwt.InvalidAudienceError():
            return _invalid("aud", f"it is not for {expected.client_id!r} (oidc.client_id)")
        case jwt.InvalidIssuerError():
            return _invalid("iss", f"it is not from {expected.issuer!r} (oidc.issuer)")
        case jwt.InvalidAlgorithmError():
            return _invalid("alg", f"expected an algorithm among {', '.join(_ALGORITHMS)}")
        case jwt.InvalidSignatureError():
            return _invalid("signature", "its signature is wrong")
        case _:
            return _invalid("id_token", f"it cannot be read ({type(error).__name__})")


def _invalid(claim: str, text: str) -> InvalidSignIn:
    return InvalidSignIn(f"id_token: {text}", param=claim)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Endpoints of a provider."""

    issuer: str
    authorization: str
    token: str
    keys: str
    userinfo: str
    """Empty where the provider has none."""
    takes_basic: bool
    """Whether a client sends its secret by HTTP's basic authentication, else in the form."""


def endpoints_of(document: Mapping[str, Any], issuer: str) -> Endpoints:
    """Return what a discovery document says. Raises ProviderUnusable, naming the field."""
    found = document.get("issuer")
    if not isinstance(found, str) or found.rstrip("/") != issuer.rstrip("/"):
        raise _unusable("issuer", found, f"{issuer!r}, as in oidc.issuer")
    methods = document.get("token_endpoint_auth_methods_supported")
    return Endpoints(
        issuer=found,
        authorization=_url(document, "authorization_endpoint"),
        token=_url(document, "token_endpoint"),
        keys=_url(document, "jwks_uri"),
        userinfo=_url(document, "userinfo_endpoint") if "userinfo_endpoint" in document else "",
        takes_basic=not isinstance(methods, list) or "client_secret_basic" in methods,
    )


def _url(document: Mapping[str, Any], field: str) -> str:
    found = document.get(field)
    try:
        if isinstance(found, str) and is_secure(found):
            return found
    except ValueError:
        pass
    raise _unusable(field, found, "an https URL; http only for a loopback address")


def _unusable(field: str, got: object, expected: str) -> ProviderUnusable:
    return ProviderUnusable(
        f"oidc.issuer: its discovery document has {field} {got!r:.200}, expected {expected}",
        param=field,
    )

"""One attempt of a browser to sign in: what binds its end to its beginning. No I/O."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field

from cato_backend.errors import InvalidSignIn

_SEPARATOR = "."
"""URL-safe base64 does not contain it."""


@dataclass(frozen=True, slots=True)
class SignInAttempt:
    """A sign-in under way. The browser keeps it in a cookie, and the server keeps nothing."""

    state: str = field(repr=False)
    """Comes back with the code: the code is for this browser."""
    nonce: str = field(repr=False)
    """Comes back in the ID token: the token is for this attempt."""
    verifier: str = field(repr=False)
    """Told with the code: only who began can redeem it (PKCE, RFC 7636)."""

    @classmethod
    def begin(cls) -> SignInAttempt:
        """Return a new one."""
        return cls(*(secrets.token_urlsafe(32) for _ in range(3)))

    @classmethod
    def of_cookie(cls, cookie: str, state: str) -> SignInAttempt:
        """Return the attempt of the browser that comes back with this state.

        Raises InvalidSignIn.
        """
        parts = cookie.split(_SEPARATOR)
        if len(parts) != 3 or not all(parts):
            raise InvalidSignIn(
                "state: this browser began no sign-in, or it has expired; sign in again",
                param="state",
            )
        attempt = cls(*parts)
        if not hmac.compare_digest(attempt.state.encode(), state.encode(errors="replace")):
            raise InvalidSignIn("state: it is of another sign-in; sign in again", param="state")
        return attempt

    def cookie(self) -> str:
        """Return what the browser keeps."""
        return _SEPARATOR.join((self.state, self.nonce, self.verifier))

    def parameters(self) -> dict[str, str]:
        """Return the parameters for the provider."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return {
            "state": self.state,
            "nonce": self.nonce,
            "code_challenge": urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }

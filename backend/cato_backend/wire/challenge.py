"""How a client makes sure that the process behind an address is the one that announced it.

The discovery file, which its owner alone can read, holds a secret. The client sends a nonce to
`IDENTITY_PATH`; only a server that knows the secret can answer with its proof. The secret itself is
never sent. The proof is about one address, so that it cannot be had from a server at another one.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

IDENTITY_PATH = "/identity"
NONCE = re.compile(r"[0-9a-f]{32,128}")
_PURPOSE = "cato-identity-1"


def new_secret() -> str:
    """Return the secret of one process."""
    return secrets.token_hex(32)


def new_nonce() -> str:
    """Return what a client asks with, once."""
    return secrets.token_hex(16)


def proof(secret: str, url: str, nonce: str) -> str:
    """Return what the process with this secret, listening at `url`, answers to a nonce."""
    text = "\n".join((_PURPOSE, url.rstrip("/"), nonce))
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def is_proof(answer: str, secret: str, url: str, nonce: str) -> bool:
    """Return whether an answer is the proof; takes as long for every wrong one."""
    return hmac.compare_digest(answer.encode(), proof(secret, url, nonce).encode())

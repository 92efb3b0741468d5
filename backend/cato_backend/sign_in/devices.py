"""Devices that wait for a person to confirm their code: RFC 8628, in memory. No I/O."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from cato_backend.errors import (
    AuthorizationPending,
    DeviceCodeExpired,
    DeviceDenied,
    NotFound,
    PolledTooOften,
    TooManySignIns,
)

LIFETIME_S = 600.0
INTERVAL_S = 5.0
"""Between two questions of a device whether its code was confirmed."""
_TOLERATED_S = 1.0
"""By which a question may come too early."""
_MOST = 1000
"""Devices that wait at once."""
_ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
"""Without vowels, so that no code is a word, and without digits that look like letters."""
_HALF = 4


@dataclass(frozen=True, slots=True)
class DeviceCodes:
    """The codes that a device gets."""

    device_code: str = field(repr=False)
    """The device's secret."""
    user_code: str
    """The code that the person confirms."""


@dataclass(slots=True)
class WaitingDevice:
    """A device whose code a person is to confirm."""

    user_code: str
    secret_hash: bytes
    client: str
    """The name that the device gives itself."""
    address: str
    """From where it asked."""
    expires: float
    last_asked: float | None = None
    person: str | None = None
    """Who confirmed it."""
    is_denied: bool = False


class WaitingDevices:
    """The devices that wait. Times on `clock`, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._by_secret: dict[bytes, WaitingDevice] = {}
        self._by_code: dict[str, WaitingDevice] = {}

    def begin(self, client: str, address: str) -> DeviceCodes:
        """Let a device wait. Raises TooManySignIns."""
        self._drop_expired()
        if len(self._by_secret) >= _MOST:
            raise TooManySignIns("device: too many devices wait", retry_after_s=LIFETIME_S / 10)
        secret, code = secrets.token_urlsafe(32), self._new_code()
        expires = self._clock() + LIFETIME_S
        device = WaitingDevice(code, _hash(secret), client, address, expires)
        self._by_secret[device.secret_hash] = self._by_code[code] = device
        return DeviceCodes(secret, code)

    def waiting(self, user_code: str) -> WaitingDevice:
        """Return the device of a code that is not confirmed or refused yet. Raises NotFound."""
        self._drop_expired()
        device = self._by_code.get(_canonical(user_code))
        if device is None or device.person is not None or device.is_denied:
            raise NotFound("code: no device waits with this code; ask the editor for a new one")
        return device

    def decide(self, user_code: str, person: str, *, is_confirmed: bool) -> WaitingDevice:
        """Confirm a device for a person, or refuse it. Raises NotFound."""
        device = self.waiting(user_code)
        if is_confirmed:
            device.person = person
        else:
            device.is_denied = True
        return device

    def take(self, device_code: str) -> tuple[WaitingDevice, str]:
        """Return a device that is confirmed, once, and who confirmed it.

        Raises AuthorizationPending, PolledTooOften, DeviceDenied, DeviceCodeExpired.
        """
        self._drop_expired()
        device = self._by_secret.get(_hash(device_code))
        if device is None:
            raise DeviceCodeExpired("device_code: it has expired or was used; begin again")
        if device.is_denied:
            self._drop(device)
            raise DeviceDenied("device_code: the person refused this device")
        if device.person is None:
            self._count_question(device)
            raise AuthorizationPending("device_code: the code is not confirmed yet")
        self._drop(device)
        return device, device.person

    def _count_question(self, device: WaitingDevice) -> None:
        now, before = self._clock(), device.last_asked
        device.last_asked = now
        if before is not None and now - before < INTERVAL_S - _TOLERATED_S:
            raise PolledTooOften(
                f"device_code: ask every {INTERVAL_S:g} s at most", retry_after_s=INTERVAL_S
            )

    def _new_code(self) -> str:
        while True:
            letters = "".join(secrets.choice(_ALPHABET) for _ in range(2 * _HALF))
            code = _canonical(letters)
            if code not in self._by_code:
                return code

    def _drop_expired(self) -> None:
        """Forget the oldest ones; all live equally long."""
        now = self._clock()
        while self._by_code:
            oldest = next(iter(self._by_code.values()))
            if oldest.expires > now:
                return
            self._drop(oldest)

    def _drop(self, device: WaitingDevice) -> None:
        del self._by_code[device.user_code]
        del self._by_secret[device.secret_hash]


def _canonical(user_code: str) -> str:
    """Return the code as it was shown, however it was typed."""
    letters = "".join(each for each in user_code.upper() if each in _ALPHABET)
    return f"{letters[:_HALF]}-{letters[_HALF:]}"


def _hash(secret: str) -> bytes:
    """Return what is looked up, so that the time it takes tells nothing of a secret."""
    return hashlib.sha256(secret.encode(errors="surrogateescape")).digest()

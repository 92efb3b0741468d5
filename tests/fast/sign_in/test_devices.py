"""Devices that wait for their code to be confirmed."""

from __future__ import annotations

import pytest

from cato_backend.errors import (
    AuthorizationPending,
    DeviceCodeExpired,
    NotFound,
    PolledTooOften,
    TooManySignIns,
)
from cato_backend.sign_in.devices import INTERVAL_S, LIFETIME_S, WaitingDevices


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def devices(clock: Clock) -> WaitingDevices:
    return WaitingDevices(clock)


def test_an_unconfirmed_code_expires(devices: WaitingDevices, clock: Clock) -> None:
    old = devices.begin("Vim", "10.0.0.1")
    clock.now += LIFETIME_S - 1
    new = devices.begin("Helix", "10.0.0.2")
    assert devices.waiting(old.user_code).client == "Vim"
    clock.now += 1
    with pytest.raises(NotFound):
        devices.decide(old.user_code, "ada", is_confirmed=True)
    with pytest.raises(DeviceCodeExpired):
        devices.take(old.device_code)
    devices.decide(new.user_code, "ada", is_confirmed=True)
    device, person = devices.take(new.device_code)
    assert (device.client, device.address, person) == ("Helix", "10.0.0.2", "ada")


def test_a_device_that_asks_at_the_interval_is_never_told_to_slow_down(
    devices: WaitingDevices, clock: Clock
) -> None:
    codes = devices.begin("", "")
    for _ in range(3):
        with pytest.raises(AuthorizationPending):
            devices.take(codes.device_code)
        clock.now += INTERVAL_S
    clock.now -= 2
    with pytest.raises(PolledTooOften) as refused:
        devices.take(codes.device_code)
    assert refused.value.retry_after_s == INTERVAL_S
    # One that was confirmed meanwhile need not wait.
    devices.decide(codes.user_code, "ada", is_confirmed=True)
    assert devices.take(codes.device_code)[1] == "ada"


def test_a_device_is_decided_about_once(devices: WaitingDevices) -> None:
    codes = devices.begin("", "")
    devices.decide(codes.user_code, "ada", is_confirmed=True)
    with pytest.raises(NotFound):
        devices.decide(codes.user_code, "eve", is_confirmed=True)
    with pytest.raises(NotFound):
        devices.decide(codes.user_code, "eve", is_confirmed=False)
    assert devices.take(codes.device_code)[1] == "ada"


def test_so_many_wait_at_once_and_no_more(devices: WaitingDevices, clock: Clock) -> None:
    codes = {devices.begin("", "").user_code for _ in range(1000)}
    assert len(codes) == 1000
    with pytest.raises(TooManySignIns):
        devices.begin("", "")
    clock.now += LIFETIME_S
    devices.begin("", "")


@pytest.mark.parametrize("typed", ["{}", " {} ", "lower", "without"])
def test_a_code_is_known_however_it_is_typed(devices: WaitingDevices, typed: str) -> None:
    code = devices.begin("", "").user_code
    forms = {"lower": code.lower(), "without": code.replace("-", "")}
    assert devices.waiting(forms.get(typed, typed.format(code))).user_code == code

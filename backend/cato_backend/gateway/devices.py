"""Sign-in of devices by RFC 8628: an editor shows a code, and a signed-in person confirms it."""

from __future__ import annotations

from aiohttp import web
from pydantic import Field

from cato_backend.errors import RoleTooLow
from cato_backend.gateway.bodies import StrictBody
from cato_backend.gateway.incoming import parse_json, validated
from cato_backend.gateway.page_session import base_url
from cato_backend.gateway.responses import json_response
from cato_backend.gateway.sign_in import count_in, sign_in_of
from cato_backend.gateway.state import GATEWAY, REQUESTER
from cato_backend.sign_in.devices import INTERVAL_S, LIFETIME_S


class DeviceCodeBody(StrictBody):
    """The body of `POST /v1/device/code`."""

    client: str = Field(default="", max_length=100)


class DeviceTokenBody(StrictBody):
    """The body of `POST /v1/device/token`."""

    device_code: str = Field(min_length=1, max_length=200, repr=False)


class DecisionBody(StrictBody):
    """The body of `POST /v1/sign-in/devices/{code}`."""

    confirmed: bool


async def device_code(request: web.Request) -> web.StreamResponse:
    """`POST /v1/device/code`: begin the sign-in of a device."""
    gateway = request.app[GATEWAY]
    sign_in = sign_in_of(gateway)
    count_in(request, gateway, is_device=True)
    body = validated(DeviceCodeBody, parse_json(await gateway.bodies.read(request) or b"{}"))
    client = "".join(each for each in body.client if each.isprintable())
    codes = sign_in.devices.begin(client, gateway.proxies.client_of(request))
    page = base_url(request, gateway.config) + "/#device"
    return json_response(
        {
            "device_code": codes.device_code,
            "user_code": codes.user_code,
            "verification_uri": page,
            "verification_uri_complete": f"{page}={codes.user_code}",
            "expires_in": int(LIFETIME_S),
            "interval": int(INTERVAL_S),
        }
    )


async def device_token(request: web.Request) -> web.StreamResponse:
    """`POST /v1/device/token`: the token of a device whose code a person has confirmed."""
    gateway = request.app[GATEWAY]
    sign_in = sign_in_of(gateway)
    count_in(request, gateway)
    body = validated(DeviceTokenBody, parse_json(await gateway.bodies.read(request)))
    made = await sign_in.device_token(body.device_code)
    return json_response(
        {
            "access_token": made.secret,
            "token_type": "Bearer",
            "expires_in": int(sign_in.config.device_s),
            "person": made.token.person,
            "token_id": made.token.id,
        }
    )


async def show_device(request: web.Request) -> web.StreamResponse:
    """`GET /v1/sign-in/devices/{code}`: which device waits with this code."""
    sign_in = sign_in_of(request.app[GATEWAY])
    _person_of(request)
    device = sign_in.devices.waiting(request.match_info["code"])
    return json_response(
        {"user_code": device.user_code, "client": device.client, "address": device.address}
    )


async def decide_device(request: web.Request) -> web.StreamResponse:
    """`POST /v1/sign-in/devices/{code}`: confirm a device, or refuse it."""
    gateway, code = request.app[GATEWAY], request.match_info["code"]
    sign_in, person = sign_in_of(gateway), _person_of(request)
    body = validated(DecisionBody, parse_json(await gateway.bodies.read(request)))
    await sign_in.check_may_confirm(request[REQUESTER])
    device = sign_in.devices.decide(code, person, is_confirmed=body.confirmed)
    return json_response({"user_code": device.user_code, "confirmed": body.confirmed})


def _person_of(request: web.Request) -> str:
    """Return the person of a request, counted so that codes cannot be guessed.

    Raises RoleTooLow, TooManySignIns.
    """
    gateway, who = request.app[GATEWAY], request[REQUESTER]
    if who.person is None:
        raise RoleTooLow("device: a token of the server's file has no person; sign in as one")
    gateway.sign_in_caps.check(who.tenant, gateway.runtime.clock(), is_device=True)
    return who.person

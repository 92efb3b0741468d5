"""The routes of the application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from pydantic import BaseModel

from cato_backend.errors import (
    AuthorizationPending,
    BodyTooLarge,
    DeviceCodeExpired,
    DeviceDenied,
    ExpectationFailed,
    Expired,
    Forbidden,
    InvalidRequest,
    InvalidSignIn,
    NoReplica,
    NotFound,
    Overloaded,
    PoisonRequest,
    PolledTooOften,
    ProviderUnavailable,
    RequestCancelled,
    RequestError,
    RequestTimeout,
    RoleTooLow,
    ShuttingDown,
    SignInRefused,
    StoreUnavailable,
    Superseded,
    TooManySignIns,
    Unauthorized,
    UnsupportedEncoding,
    UpstreamFailed,
)
from cato_backend.gateway import (
    calls,
    control,
    devices,
    editor_calls,
    overview_feed,
    sign_in,
    tasks,
    tokens,
    usage,
)
from cato_backend.gateway.agents import handlers as agents
from cato_backend.gateway.agents.messages_body import CountTokensBody, MessagesBody
from cato_backend.gateway.agents.responses_body import ResponsesBody
from cato_backend.gateway.bodies import CancelBody, ChatBody, CompletionBody, WarmBody
from cato_backend.gateway.error_forms import MESSAGES_PATH
from cato_backend.gateway.tasks import TaskBody
from cato_backend.gateway.tokens import TokenBody
from cato_backend.team.records import Role
from cato_backend.wire import sse
from cato_backend.wire.discovery import IDENTITY_PATH, NONCE
from cato_backend.wire.editor_calls import FEEDBACK_PATH, WARM_PATH

_JSON, _TEXT = "application/json", "text/plain"
_ANYWHERE = (
    InvalidRequest,
    Forbidden,
    RequestTimeout,
    BodyTooLarge,
    UnsupportedEncoding,
    ExpectationFailed,
    ShuttingDown,
)
_CALL = (
    NotFound,
    Superseded,
    PoisonRequest,
    Overloaded,
    RequestCancelled,
    UpstreamFailed,
    NoReplica,
    Expired,
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation. Its summary is the first line of its handler's docstring."""

    method: str
    path: str
    handler: Handler
    answers: tuple[tuple[int, tuple[str, ...]], ...] = ((200, (_JSON,)),)
    """Statuses other than errors, with their media types."""
    body: type[BaseModel] | None = None
    is_body_optional: bool = False
    is_call: bool = False
    """Whether the headers about task, budget and origin count."""
    is_open: bool = False
    """Whether it takes no token."""
    least_role: Role = Role.USER
    """Who may use it; what of it they see and change, `authorization` says."""
    query: tuple[tuple[str, str], ...] = ()
    """Names of the parameters in the address that are needed, with their patterns."""
    errors: tuple[type[RequestError], ...] = ()
    """Besides those of every route."""

    @property
    def all_errors(self) -> tuple[type[RequestError], ...]:
        """Every error that it may answer with."""
        return (*_ANYWHERE, *(() if self.is_open else (Unauthorized,)), *self.errors)


_PAGE = "/page/"
_DEVICE = "/v1/sign-in/devices/{code}"
_DEVICE_ERRORS = (NotFound, RoleTooLow, TooManySignIns)
_STREAMED = ((200, (_JSON, sse.CONTENT_TYPE)),)

ROUTES = (
    Route(
        "POST", "/v1/completions", calls.completions, _STREAMED, CompletionBody,
        is_call=True, errors=_CALL,
    ),
    Route(
        "POST", "/v1/chat/completions", calls.chat_completions, _STREAMED, ChatBody,
        is_call=True, errors=_CALL,
    ),
    Route(
        "POST", MESSAGES_PATH, agents.messages, _STREAMED, MessagesBody,
        is_call=True, errors=_CALL,
    ),
    Route(
        "POST", f"{MESSAGES_PATH}/count_tokens", agents.count_tokens, body=CountTokensBody,
        errors=(NotFound, NoReplica),
    ),
    Route(
        "POST", "/v1/responses", agents.responses, _STREAMED, ResponsesBody,
        is_call=True, errors=_CALL,
    ),
    Route(
        "POST", "/v1/tasks", tasks.tasks, ((200, (sse.CONTENT_TYPE,)),), TaskBody,
        is_call=True, errors=_CALL,
    ),
    Route(
        "POST", WARM_PATH, editor_calls.warm, ((200, (_JSON,)), (202, (_JSON,))), WarmBody,
        is_call=True, errors=_CALL,
    ),
    Route(
        "POST", FEEDBACK_PATH, editor_calls.give, ((202, (_JSON,)),), editor_calls.FeedbackBody,
    ),
    Route("GET", FEEDBACK_PATH, editor_calls.export, ((200, ("application/x-ndjson",)),)),
    Route("GET", "/v1/usage", usage.own_lines, ((200, (usage.NDJSON,)),)),
    Route("GET", "/v1/usage.csv", usage.own_table, ((200, (usage.CSV,)),)),
    Route(
        "GET", "/v1/usage/team", usage.team_lines, ((200, (usage.NDJSON,)),),
        least_role=Role.LEAD, errors=(NotFound,),
    ),
    Route(
        "GET", "/v1/usage/team.csv", usage.team_table, ((200, (usage.CSV,)),),
        least_role=Role.LEAD, errors=(NotFound,),
    ),
    Route(
        "POST", "/v1/requests/{id}/cancel", control.cancel, body=CancelBody,
        is_body_optional=True, errors=(NotFound,),
    ),
    Route("GET", "/v1/whoami", tokens.whoami),
    Route("GET", "/v1/tokens", tokens.list_tokens, errors=(StoreUnavailable,)),
    Route(
        "POST", "/v1/tokens", tokens.create_token, ((201, (_JSON,)),), TokenBody,
        errors=(RoleTooLow, StoreUnavailable),
    ),
    Route(
        "DELETE", "/v1/tokens/{id}", tokens.revoke_token,
        errors=(NotFound, RoleTooLow, StoreUnavailable),
    ),
    Route(
        "DELETE", "/v1/people/{name}/tokens", tokens.revoke_all,
        errors=(NotFound, RoleTooLow, StoreUnavailable),
    ),
    Route("GET", "/v1/sign-in", sign_in.methods, is_open=True, errors=(TooManySignIns,)),
    Route(
        "POST", "/v1/sign-out", sign_in.sign_out, ((204, ()),),
        errors=(NotFound, StoreUnavailable),
    ),
    Route(
        "POST", sign_in.DEVICE_CODE, devices.device_code, body=devices.DeviceCodeBody,
        is_body_optional=True, is_open=True, errors=(NotFound, TooManySignIns),
    ),
    Route(
        "POST", sign_in.DEVICE_TOKEN, devices.device_token, body=devices.DeviceTokenBody,
        is_open=True,
        errors=(
            NotFound, TooManySignIns, PolledTooOften, AuthorizationPending, DeviceCodeExpired,
            DeviceDenied, SignInRefused, StoreUnavailable,
        ),
    ),
    Route("GET", _DEVICE, devices.show_device, errors=_DEVICE_ERRORS),
    Route(
        "POST", _DEVICE, devices.decide_device, body=devices.DecisionBody,
        errors=(*_DEVICE_ERRORS, StoreUnavailable),
    ),
    Route(
        "GET", sign_in.PATH, sign_in.begin, ((303, ()),), is_open=True,
        errors=(NotFound, TooManySignIns, ProviderUnavailable),
    ),
    Route(
        "GET", sign_in.CALLBACK, sign_in.finish, ((303, ()),), is_open=True,
        errors=(
            NotFound, TooManySignIns, InvalidSignIn, SignInRefused, ProviderUnavailable,
            StoreUnavailable,
        ),
    ),
    Route("GET", "/v1/models", control.models),
    Route("GET", "/v1/models/{name:.+}", control.model, errors=(NotFound, NoReplica)),
    Route(
        "GET", "/v1/replicas/{id}/profile", control.replica_profile, errors=(NotFound,),
    ),
    Route(
        "GET", "/v1/overview", overview_feed.overview, _STREAMED, errors=(Overloaded,),
    ),
    Route(
        "GET", "/", sign_in.start, ((200, ("text/html",)),),
        is_open=True, errors=(NotFound, Unauthorized),
    ),
    Route(
        "GET", f"{_PAGE}{{name}}", sign_in.part,
        ((200, ("text/css", "text/javascript", "image/svg+xml")),),
        is_open=True, errors=(NotFound,),
    ),
    Route("GET", "/health", control.health, ((200, (_JSON,)), (503, (_JSON,))), is_open=True),
    Route(
        "GET", IDENTITY_PATH, control.identity, is_open=True, query=(("nonce", NONCE.pattern),),
    ),
    Route("GET", "/metrics", control.metrics, ((200, (_TEXT,)),)),
    Route("GET", "/openapi.json", control.openapi, is_open=True),
)  # fmt: skip
COUNTED_PATHS = frozenset(route.path for route in ROUTES if route.is_call) - {WARM_PATH}
"""What counts among a person's requests; to fill the prefix cache does not."""
_OPEN_PATHS = frozenset(route.path for route in ROUTES if route.is_open)


def is_open(path: str) -> bool:
    """Return whether the path takes no token."""
    return path in _OPEN_PATHS or path.startswith(_PAGE)

"""The error tree. Each class exists because some caller handles it differently.

CatoError
├── ConfigError            the start is refused: names the field, what was got, what was expected
│   └── NoRoom             replicas were not placed: another way of placing them is tried
├── TeamError              people, teams or tokens cannot be changed as asked: names the field
├── EngineError            an engine's environment, model or process is not there; the start fails
│   ├── DamagedModel       a model file is missing or does not match its checksum
│   ├── SourceUnavailable  a list of replicas is not available: the last known one is kept
│   ├── ReplicaLost        the node or cluster of a replica is gone: it is started elsewhere
│   └── ReplicaUnavailable a server does not answer as a replica does: it is asked again later
└── RequestError           one HTTP request is answered with this status, the server continues
    ├── InvalidRequest     400: names the field
    │   ├── InvalidSignIn  400: the provider's or the browser's data cannot be trusted
    │   ├── AuthorizationPending 400: the device's code is not confirmed yet
    │   └── DeviceCodeExpired 400: the code was not confirmed in time, or does not exist
    ├── BodyTooLarge       413
    ├── UnsupportedEncoding 415: a content encoding that is not inflated here
    ├── ExpectationFailed  417: an Expect header other than 100-continue
    ├── RequestTimeout     408: the request came too slowly
    ├── Unauthorized       401
    │   ├── TokenExpired   401: the token was valid until it expired
    │   └── TokenRevoked   401: the token was valid until it was revoked
    ├── Forbidden          403: a foreign Host or a browser's Origin on loopback
    │   ├── RoleTooLow     403: the person's role does not allow the request
    │   ├── SignInRefused  403: the provider knows the person, and they may not sign in here
    │   └── DeviceDenied   403: the person refused the device
    ├── NotFound           404: no such model, request or path
    ├── MethodNotAllowed   405
    ├── Superseded         409: a newer request of the same document took its place
    ├── PoisonRequest      422: two replicas died while they were starting it
    ├── Overloaded         429: the queue is full; carries when to come back
    │   ├── ReplicasBusy   429: every replica refuses requests until after the deadline
    │   ├── LimitReached   429: a team's or a person's requests a minute, or at once
    │   ├── BudgetSpent    429: a team's or a person's budget of the day
    │   ├── TooManySignIns 429: one address asks to sign in too often, or too many do at once
    │   └── PolledTooOften 429: a device asks for its token more often than it was told to
    ├── NoReplica          503: no healthy replica until the deadline
    ├── TooManyConnections 503: carries when to come back
    ├── ShuttingDown       503: the server ends; carries when to come back
    ├── StoreUnavailable   503: the store of people and teams cannot be read or written now
    ├── Expired            504: its queue timeout passed before a replica could start it
    ├── RequestCancelled          499: the client ended it (seen in metrics, never by the client)
    ├── UpstreamFailed     502: a replica failed in a way that could not be hidden
    ├── ProviderUnavailable 502: the provider of sign-ins does not answer
    │   └── ProviderUnusable 502: it answers, but not as OpenID Connect says
    ├── UnusableAnswer     502: a model answered twice with nothing, or repeated itself without end
    └── InternalError      500: a defect of ours; its trace is in the log, never in the answer
"""

from cato_backend.errors.access import (
    AuthorizationPending,
    DeviceCodeExpired,
    DeviceDenied,
    Forbidden,
    InvalidSignIn,
    PolledTooOften,
    ProviderUnavailable,
    ProviderUnusable,
    RoleTooLow,
    SignInRefused,
    TokenExpired,
    TokenRevoked,
    TooManySignIns,
    Unauthorized,
)
from cato_backend.errors.base import CatoError, ConfigError, NoRoom, TeamError
from cato_backend.errors.engines import (
    DamagedModel,
    EngineError,
    PoisonRequest,
    ReplicaLost,
    ReplicaUnavailable,
    SourceUnavailable,
    UnusableAnswer,
    UpstreamFailed,
)
from cato_backend.errors.overload import (
    BudgetSpent,
    Expired,
    LimitReached,
    NoReplica,
    Overloaded,
    ReplicasBusy,
    ShuttingDown,
    StoreUnavailable,
    TooManyConnections,
)
from cato_backend.errors.requests import (
    BodyTooLarge,
    ExpectationFailed,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    RequestCancelled,
    RequestError,
    RequestTimeout,
    Superseded,
    UnsupportedEncoding,
)

__all__ = [
    "AuthorizationPending",
    "BodyTooLarge",
    "BudgetSpent",
    "CatoError",
    "ConfigError",
    "DamagedModel",
    "DeviceCodeExpired",
    "DeviceDenied",
    "EngineError",
    "ExpectationFailed",
    "Expired",
    "Forbidden",
    "InternalError",
    "InvalidRequest",
    "InvalidSignIn",
    "LimitReached",
    "MethodNotAllowed",
    "NoReplica",
    "NoRoom",
    "NotFound",
    "Overloaded",
    "PoisonRequest",
    "PolledTooOften",
    "ProviderUnavailable",
    "ProviderUnusable",
    "ReplicaLost",
    "ReplicaUnavailable",
    "ReplicasBusy",
    "RequestCancelled",
    "RequestError",
    "RequestTimeout",
    "RoleTooLow",
    "ShuttingDown",
    "SignInRefused",
    "SourceUnavailable",
    "StoreUnavailable",
    "Superseded",
    "TeamError",
    "TokenExpired",
    "TokenRevoked",
    "TooManyConnections",
    "TooManySignIns",
    "Unauthorized",
    "UnsupportedEncoding",
    "UnusableAnswer",
    "UpstreamFailed",
]

"""The running server's view of people and teams, synchronized with the store off the event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from cato_backend.clock import monotonic
from cato_backend.errors import (
    BudgetSpent,
    ConfigError,
    StoreUnavailable,
    TokenExpired,
    TokenRevoked,
)
from cato_backend.team.audit import AuditLog, audit_file
from cato_backend.team.budgets import DayBudgets, Reserved, Used, seconds_left
from cato_backend.team.index import REVOKED, Requester, TeamIndex
from cato_backend.team.store import TeamStore
from cato_backend.team.synchronizer import Synchronizer, Unsaved
from cato_backend.team.terms import NO_TERMS, Isolation, RequestRates, Terms, terms_of

_LOOK_S = 0.5
"""Between two looks at the store."""
ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class TeamSettings:
    """Path of the store, and settings for all people in it."""

    path: Path | None = None
    """None: there is no store, and no person can be added."""
    isolation: Isolation = Isolation.TEAM
    refuses_over_budget: bool = False
    """Whether a request over budget is refused; else it is served behind all others."""
    audit_max_bytes: int = 8 * 1024 * 1024


class LiveTeams:
    """Resolves from memory the sender of a request, and the terms of their requests."""

    def __init__(self, settings: TeamSettings, clock: Callable[[], float] = time.time) -> None:
        """Read the store, if there is one. Raises ConfigError."""
        self.settings = settings
        """May be replaced; the file of the store stays."""
        self._clock = clock
        self._index = TeamIndex()
        self._budgets = DayBudgets()
        self._rates = RequestRates()
        self._terms: dict[str, tuple[tuple[int, bytes, Isolation], Terms]] = {}
        """By tenant, with the revision, the secret and the isolation that they follow from."""
        self._seen: dict[str, float] = {}
        """By token, when it was used last, where that is not written yet."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="team-store")
        self._sync = None
        if settings.path is not None:
            audit = AuditLog(audit_file(settings.path), settings.audit_max_bytes)
            self._sync = Synchronizer(settings.path, self._index, self._budgets, audit, clock)
            self._sync.refresh()

    @property
    def has_tokens(self) -> bool:
        """Whether the store has ever had a token: every request needs one from then on."""
        return self._index.has_tokens

    @property
    def revision(self) -> int:
        """The store's revision, which changes with people, teams and tokens."""
        return self._index.revision

    def ended(self, token_id: str) -> TokenRevoked | TokenExpired | None:
        """Return the error that ends what a token asked for; None while the token is valid."""
        ends = self._index.ends(token_id)
        if ends is None or ends > self._clock():
            return None
        if ends == REVOKED:
            return TokenRevoked("authorization: this token was revoked while it was answered")
        return TokenExpired("authorization: this token expired while it was answered")

    def find(self, secret: str) -> Requester | None:
        """Return whose token this is; None where it is unknown.

        Raises TokenExpired, TokenRevoked.
        """
        if not self.has_tokens:
            return None
        now = self._clock()
        requester = self._index.find(secret, now)
        if requester is not None:
            self._seen[requester.token_id] = now
        return requester

    # -- requests ------------------------------------------------------------------------------

    def terms(self, tenant: str) -> Terms:
        """Return on which terms a tenant's requests are served."""
        member = self._index.member(tenant)
        if member is None or self._sync is None:
            return NO_TERMS
        version = self._index.revision, self._sync.salt_key, self.settings.isolation
        known, terms = self._terms.get(tenant, (None, NO_TERMS))
        if known != version:
            terms = terms_of(*member, self.settings.isolation, self._sync.salt_key)
            self._terms[tenant] = version, terms
        return terms

    def knows(self, tenant: str) -> bool:
        """Return whether the tenant is a person of the store: only they have limits."""
        return self._index.member(tenant) is not None

    @contextmanager
    def admitted(self, tenant: str) -> Generator[None]:
        """Count a request in for the block. Raises LimitReached, BudgetSpent."""
        member = self._index.member(tenant)
        if member is None:
            yield
            return
        began, now = monotonic(), self._clock()
        if self.settings.refuses_over_budget and self._budgets.is_spent(*member, now):
            raise _spent(now)
        self._rates.enter(*member, began)
        try:
            yield
        finally:
            self._rates.leave(*member, monotonic() - began)

    def reserve(self, tenant: str, output_tokens: int, *, may_refuse: bool) -> Reserved | None:
        """Reserve a call's part of the budgets; None for who has none. Raises BudgetSpent."""
        member = self._index.member(tenant)
        if member is None:
            return None
        now = self._clock()
        reserved = self._budgets.reserve(*member, output_tokens, now)
        if reserved.is_over and may_refuse and self.settings.refuses_over_budget:
            self._budgets.cancel(reserved)
            raise _spent(now)
        return reserved

    def release(self, reserved: Reserved | None, task: str, used: Used) -> None:
        """Count what the call has used."""
        if reserved is not None:
            self._budgets.release(reserved, task, used, self._clock())

    # -- the store -----------------------------------------------------------------------------

    async def do(self, work: Callable[[TeamStore, AuditLog], ResultT]) -> ResultT:
        """Run `work` on the store, made where there is none, and take over what it changed.

        Raises StoreUnavailable, and TeamError from `work`.
        """
        if self._sync is None:
            raise StoreUnavailable("this server keeps no store of people and teams")
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, self._sync.do, work)
        except (ConfigError, OSError) as error:
            raise StoreUnavailable("the store of people and teams cannot be used now") from error

    async def watch(self, on_news: Callable[[str], None]) -> None:
        """Keep up with the store until cancelled; tell once what is wrong with it."""
        complaint, loop = "", asyncio.get_running_loop()
        while self._sync is not None:
            await asyncio.sleep(_LOOK_S)
            unsaved = self._take_unsaved()
            try:
                await loop.run_in_executor(self._thread, self._sync.step, unsaved)
            except (ConfigError, OSError) as error:
                self._budgets.put_back(unsaved.amounts)
                if str(error) != complaint:
                    on_news(f"{error}; people and teams stay as they were")
                complaint = str(error)
            else:
                complaint = ""

    def close(self) -> None:
        """Write what is not written yet, and close the store."""
        if self._sync is not None:
            self._thread.submit(self._sync.close, self._take_unsaved())
        self._thread.shutdown()

    def _take_unsaved(self) -> Unsaved:
        """Return what is to be written; here, because counting continues in this thread."""
        seen, self._seen = self._seen, {}
        return Unsaved(seen, self._budgets.take_unsaved())


def _spent(now: float) -> BudgetSpent:
    return BudgetSpent(
        "the budget of the day is spent; it begins again at midnight UTC",
        retry_after_s=seconds_left(now),
    )

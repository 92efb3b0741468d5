"""The client's requests in flight: each one is answered exactly once, however it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from cato_lsp.protocol.methods import Token

log = logging.getLogger(__name__)

Work = Coroutine[Any, Any, Any]


class Request:
    """One request, answered by a task of its own.

    `answer` never holds an exception and is never cancelled: work that is cut short answers
    `if_cut_short`.
    """

    def __init__(self, work: Work, if_cut_short: object) -> None:
        self.answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._if_cut_short = if_cut_short
        self._task = asyncio.create_task(work)
        self._task.add_done_callback(self._finish)

    def cancel(self) -> None:
        """Cut the work short."""
        self._task.cancel()

    def _finish(self, task: asyncio.Task[Any]) -> None:
        if task.cancelled():
            self.answer.set_result(self._if_cut_short)
        elif (error := task.exception()) is not None:
            log.error("a request failed", exc_info=error)
            self.answer.set_result(self._if_cut_short)
        else:
            self.answer.set_result(task.result())


class Requests:
    """All requests of one connection that are being answered."""

    def __init__(self) -> None:
        self._by_id: dict[Token, Request] = {}
        self._by_topic: dict[str, Request] = {}
        self._by_progress: dict[Token, Token] = {}

    def start(
        self,
        message_id: Token,
        work: Work,
        *,
        topic: str | None = None,
        progress: Token | None = None,
        if_cut_short: object = None,
    ) -> asyncio.Future[Any]:
        """Start to answer.

        A request with a `topic` supersedes the former one of that topic. `progress` is the token by
        whose progress the person may cancel it.
        """
        request = Request(work, if_cut_short)
        self._by_id[message_id] = request
        if progress is not None:
            self.show_progress(message_id, progress)
        if topic is not None:
            self.supersede(topic)
            self._by_topic[topic] = request
        request.answer.add_done_callback(lambda _: self._forget(message_id, topic, request))
        return request.answer

    def supersede(self, topic: str) -> None:
        """Cut short what is in flight about `topic`."""
        former = self._by_topic.pop(topic, None)
        if former is not None:
            former.cancel()

    def cancel(self, message_id: Token) -> bool:
        """Cut a request short. Return whether there was one."""
        request = self._by_id.get(message_id)
        if request is not None:
            request.cancel()
        return request is not None

    def show_progress(self, message_id: Token, progress: Token) -> None:
        """Let the progress of `progress` be that of request `message_id` from now on."""
        self._by_progress[progress] = message_id

    def cancel_progress(self, progress: Token) -> None:
        """Cut short the request that `progress` belongs to, if it is still there."""
        message_id = self._by_progress.get(progress)
        if message_id is not None:
            self.cancel(message_id)

    async def close(self) -> None:
        """Cut everything short; return when all of it is answered."""
        requests = tuple(self._by_id.values())
        for request in requests:
            request.cancel()
        await asyncio.gather(*(request.answer for request in requests))

    def _forget(self, message_id: Token, topic: str | None, request: Request) -> None:
        self._by_id.pop(message_id, None)
        self._by_progress = {k: v for k, v in self._by_progress.items() if v != message_id}
        if topic is not None and self._by_topic.get(topic) is request:
            del self._by_topic[topic]

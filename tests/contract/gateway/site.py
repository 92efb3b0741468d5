"""A gateway with its fakes behind it and clients in front, as tests use it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from openai import AsyncOpenAI
from prometheus_client.parser import text_string_to_metric_families

from cato_lab.emulator import Emulator
from tests.contract.gateway.serving import Serve, serving
from tests.fakes import fake_vllm

PATIENCE_S = 10.0
COMPLETIONS, CHAT, TASKS = "/v1/completions", "/v1/chat/completions", "/v1/tasks"
DONE = "[DONE]"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """OpenAI's error object, with all of its fields."""
        value = self.json
        assert list(value) == ["error"], value
        assert set(value["error"]) == {"message", "type", "param", "code"}, value
        return dict(value["error"])

    @property
    def events(self) -> list[str]:
        """The data of each event of a stream."""
        *blocks, rest = self.body.decode().split("\n\n")
        assert rest == "", f"the stream ends within an event: {rest!r}"
        lines = (block.rpartition("\n")[2] for block in blocks)
        return [line.removeprefix("data: ") for line in lines]

    @property
    def chunks(self) -> list[dict[str, Any]]:
        """The events before [DONE], which must be the last."""
        *data, done = self.events
        assert done == DONE, self.events
        return [json.loads(item) for item in data]

    @property
    def text(self) -> str:
        """What a stream said, completion or chat."""
        return "".join(
            choice["delta"].get("content") or "" if "delta" in choice else choice["text"]
            for chunk in self.chunks
            for choice in chunk.get("choices", ())
        )


@dataclass(slots=True)
class Site:
    """`fakes` stand behind the gateway at `url`; `http` is a client's pool of connections."""

    serve: Serve
    fakes: list[Emulator]
    http: aiohttp.ClientSession
    token: str = ""
    url: str = field(init=False)

    def __post_init__(self) -> None:
        self.url = self.serve.url

    @property
    def fake(self) -> Emulator:
        """The only replica."""
        (fake,) = self.fakes
        return fake

    def headers(self, **given: Any) -> dict[str, str]:
        """`x_cato_task="completion"` as headers, with the token."""
        own = {"authorization": f"Bearer {self.token}"} if self.token else {}
        return own | {name.replace("_", "-"): str(value) for name, value in given.items()}

    @asynccontextmanager
    async def opened(
        self, body: Any, path: str = COMPLETIONS, **headers: Any
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        """The response as soon as its headers are there."""
        async with self.http.post(
            self.url + path, json=body, headers=self.headers(**headers)
        ) as response:
            yield response

    async def post(self, body: Any, path: str = COMPLETIONS, **headers: Any) -> Answer:
        """The response to a JSON body."""
        async with self.opened(body, path, **headers) as response:
            return Answer(response.status, response.headers, await response.read())

    async def call(self, method: str, path: str, **request: Any) -> Answer:
        """The response to any request."""
        request["headers"] = self.headers() | request.get("headers", {})
        async with self.http.request(method, self.url + path, **request) as response:
            return Answer(response.status, response.headers, await response.read())

    async def cancel(self, request_id: str, reason: str = "typed") -> Answer:
        """Ends a request by name."""
        return await self.post({"reason": reason}, f"/v1/requests/{request_id}/cancel")

    def openai(self) -> AsyncOpenAI:
        """OpenAI's own client, which tries once."""
        return AsyncOpenAI(
            base_url=f"{self.url}/v1", api_key=self.token or "unused", max_retries=0, timeout=10
        )

    async def metrics(self) -> dict[tuple[str, tuple[str, ...]], float]:
        """Every sample by its name and the values of its labels."""
        answer = await self.call("GET", "/metrics")
        return {
            (sample.name, tuple(sample.labels.values())): sample.value
            for family in text_string_to_metric_families(answer.body.decode())
            for sample in family.samples
        }

    async def total(self, name: str) -> float:
        """The sum of a metric over its labels."""
        return sum(v for (found, _), v in (await self.metrics()).items() if found == name)

    async def wait_total(self, name: str, value: float) -> None:
        """Returns as soon as the sum is `value`."""
        await eventually(lambda total: total == value, lambda: self.total(name))

    async def wait_idle(self) -> None:
        """Returns once neither queue, gateway nor engine holds a request."""
        await self.wait_total("cato_requests_waiting", 0)
        await self.wait_total("cato_requests_running", 0)
        for fake in self.fakes:
            await fake.wait_until(lambda state: state.running == state.waiting == 0)


@asynccontextmanager
async def serving_site(
    folder: Path, *arguments: str, config: str = "", replicas: int = 1, token: str = ""
) -> AsyncGenerator[Site]:
    """A gateway of its own before so many fakes. It must end well, without a defect."""
    async with AsyncExitStack() as stack:
        fakes = [await stack.enter_async_context(fake_vllm()) for _ in range(replicas)]
        urls = tuple(fake.url for fake in fakes)
        serve = await stack.enter_async_context(
            serving(folder, *arguments, config=config, replicas=urls)
        )
        http = await stack.enter_async_context(aiohttp.ClientSession())
        yield Site(serve, fakes, http, token)


async def eventually(
    holds: Callable[[Any], bool],
    look: Callable[[], Awaitable[Any]],
    patience_s: float = PATIENCE_S,
) -> None:
    """Looks until it holds. Raises TimeoutError."""
    async with asyncio.timeout(patience_s):
        while True:
            if holds(await look()):
                return
            await asyncio.sleep(0.01)

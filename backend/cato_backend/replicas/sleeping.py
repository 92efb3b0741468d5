"""vLLM's sleep mode over HTTP: an engine gives its GPU memory back and keeps its process.

The routes are those of vLLM 0.32's `entrypoints/serve/dev/sleep`; level 1 keeps the weights in main
memory and forgets the KV cache. An engine has them with `--enable-sleep-mode` and
VLLM_SERVER_DEV_MODE=1. What runs when an engine falls asleep is waited for.
"""

from __future__ import annotations

import aiohttp

from cato_backend.errors import EngineError

_TIMEOUT_S = 180.0


async def fall_asleep(session: aiohttp.ClientSession, url: str, api_key: str) -> None:
    """Put the engine at `url` to sleep. Raises EngineError."""
    await _order(session, f"{url}/sleep?level=1&mode=wait", api_key)


async def wake_up(session: aiohttp.ClientSession, url: str, api_key: str) -> None:
    """Wake the engine at `url`. Raises EngineError."""
    await _order(session, f"{url}/wake_up", api_key)


async def _order(session: aiohttp.ClientSession, url: str, api_key: str) -> None:
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    headers = {"Authorization": f"Bearer {api_key}"}
    route = url.rpartition("/")[2].partition("?")[0]
    try:
        async with session.post(url, headers=headers, timeout=timeout) as response:
            if response.ok:
                return
            status = response.status
    except TimeoutError as error:
        raise EngineError(f"/{route} took longer than {_TIMEOUT_S:g} s") from error
    except (aiohttp.ClientError, OSError) as error:
        raise EngineError(f"/{route} was not answered: {error}") from error
    raise EngineError(f"/{route} was answered with {status}: is its sleep mode on?")

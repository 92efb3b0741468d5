"""`cato profile --from-backend`: exports what a running backend has learned as a profile."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from cato_backend.errors import ConfigError

if TYPE_CHECKING:
    from cato_backend.profile_files.document import ProfileFile

_TIMEOUT_S = 10.0


def export(arguments: argparse.Namespace, token: str | None) -> int:
    """Write the file and say where. Raises ConfigError naming what stands in the way."""
    from cato_backend.config import server_url
    from cato_backend.profile_files.files import path_in, save_profile, user_folder

    url = server_url("--from-backend", arguments.from_backend)
    file = asyncio.run(_learned(url, arguments.replica, token))
    if arguments.hardware:
        file = file.model_copy(update={"hardware": arguments.hardware})
    path: Path = arguments.out or path_in(user_folder(), file.hardware, file.model)
    save_profile(file, path)
    print(f"{file.model}: {file.made.how}")
    print(f"written: {path}")
    return 0


async def _learned(url: str, replica: str | None, token: str | None) -> ProfileFile:
    import aiohttp

    from cato_backend.replicas import connect_errors

    headers = {"authorization": f"Bearer {token}"} if token else {}
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    try:
        async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
            chosen = replica or await _only_one(session, url)
            content = await _json(session, f"{url}/v1/replicas/{quote(chosen, safe='')}/profile")
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        reason = connect_errors.of_exception(error).reason
        raise ConfigError(f"--from-backend: {url} does not answer: {reason}") from error
    return _checked(url, content)


async def _only_one(session: Any, url: str) -> str:
    listed = (await _json(session, f"{url}/health")).get("replicas")
    replicas = cast("list[dict[str, Any]]", listed if isinstance(listed, list) else [])
    names = [str(each.get("id")) for each in replicas]
    if len(names) != 1:
        expected = f"one of {', '.join(names)}" if names else "a backend with a replica that is up"
        raise ConfigError.of("--replica", None, expected)
    return names[0]


async def _json(session: Any, url: str) -> dict[str, Any]:
    async with session.get(url) as response:
        body = await response.read()
        if response.status != 200:
            raise ConfigError(f"{url} answered {response.status}: {_said(body)}")
        return _object(url, body)


def _said(body: bytes) -> str:
    """Return the message of an error object, else the body itself."""
    import orjson

    try:
        return str(orjson.loads(body)["error"]["message"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return body.decode(errors="replace")[:200]


def _object(url: str, body: bytes) -> dict[str, Any]:
    import orjson

    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"{url}: not JSON: is this a cato backend?") from error
    if not isinstance(value, dict):
        raise ConfigError(f"{url}: expected an object: is this a cato backend?")
    return cast("dict[str, Any]", value)


def _checked(url: str, content: dict[str, Any]) -> ProfileFile:
    from pydantic import ValidationError

    from cato_backend.profile_files.document import ProfileFile

    try:
        return ProfileFile.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{url}: {place}: {first['msg']}; is it of another version?") from error

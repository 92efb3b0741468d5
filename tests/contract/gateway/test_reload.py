"""Tokens and certificates that change while `cato serve` runs."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import ssl
from pathlib import Path

import aiohttp
import pytest

from cato_backend.app.process import Signals
from cato_backend.wire.discovery import discover
from cato_lab.emulator import Behaviour
from tests.contract.gateway.certificate import self_signed
from tests.contract.gateway.serving import refusal, serving
from tests.contract.gateway.site import Answer, Site, eventually
from tests.fakes import fake_vllm
from tests.secret_files import secret_file

pytestmark = pytest.mark.asyncio(loop_scope="module")

BODY = {"prompt": "x", "stream": True, "max_tokens": 80}


CHANGED = """
[log]
level = "debug"
[server]
max_connections = 100
[targets.completion]
ttft_ms = 400
"""
UNREADABLE = (
    '[usage]\nprices = "~nobody-of-this-name/prices.toml"\n',
    '[usage]\nprices = "\\u0000"\n',
    f"[server]\nport = {'9' * 5000}\n",
    f"models = {'[' * 5000}\n",
)
"""Files that fail in other ways than with a wrong field."""


async def promised_ms(site: Site) -> float:
    """What a completion is promised now."""
    entry = (await site.call("GET", "/v1/models")).json["data"][0]
    return float(entry["cato"]["targets"]["completion"]["ttft_ms"])


async def status(site: Site, token: str) -> int:
    headers = {"authorization": f"Bearer {token}"}
    return (await site.call("GET", "/v1/models", headers=headers)).status


async def test_tokens_change_while_streams_go_on(tmp_path: Path) -> None:
    """By themselves when the file changes; the stream of a token that was taken away, too."""
    file = tmp_path / "tokens"
    secret_file(file, "alice\n")
    async with (
        fake_vllm(Behaviour(itl_ms=40)) as fake,
        serving(tmp_path, "--token-file", str(file), replicas=(fake.url,)) as serve,
        aiohttp.ClientSession() as http,
    ):
        site = Site(serve, [fake], http, "alice")
        async with site.opened(BODY) as stream:
            file.write_bytes(b"\xef\xbb\xbf  # of the team\r\n\r\nbob\r\n")
            await eventually(lambda found: found == 200, lambda: status(site, "bob"))
            assert await status(site, "alice") == 401
            announced = discover(tmp_path / "state" / "backend.json")
            assert announced is not None
            assert announced.token == "bob"
            file.write_text("# nobody\n")
            await serve.wait_said("holds no token")
            assert await status(site, "bob") == 200
            file.unlink()
            await serve.wait_said("No such file")
            serve.process.send_signal(signal.SIGHUP)
            await serve.wait_said("No such file", times=2)
            assert await status(site, "bob") == 200
            text = Answer(200, {}, await stream.read()).text
        assert text.split()
        assert serve.said.count("holds no token") == 1
        assert "alice" not in serve.said
        assert "bob" not in serve.said


async def test_a_certificate_changes_without_a_stream_noticing(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    former = ssl.create_default_context(cafile=str(certificate))
    arguments = ("--tls-cert", str(certificate), "--tls-key", str(key))
    async with (
        fake_vllm(Behaviour(itl_ms=40)) as fake,
        serving(tmp_path, *arguments, replicas=(fake.url,)) as serve,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=former)) as http,
    ):
        site = Site(serve, [fake], http)
        site.url = serve.url.replace("127.0.0.1", "localhost")
        async with site.opened(BODY) as stream:
            self_signed(tmp_path)
            serve.process.send_signal(signal.SIGHUP)
            await serve.wait_said(f"certificate: {certificate}")
            await shows(site, certificate)
            shown = certificate.read_text()
            certificate.write_text("no certificate")
            serve.process.send_signal(signal.SIGHUP)
            await serve.wait_said("the former certificate stays in use")
            certificate.write_text(shown)
            await shows(site, certificate)
            text = Answer(200, {}, await stream.read()).text
        assert text.split()
        # The connection of the stream still serves, under the certificate that it began with.
        assert (await site.call("GET", "/health")).status == 200


async def shows(site: Site, certificate: Path) -> None:
    """To a new connection."""
    trust = ssl.create_default_context(cafile=str(certificate))
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust)) as http,
        http.get(f"{site.url}/health") as response,
    ):
        assert response.status == 200


async def test_the_configuration_changes_while_streams_go_on(tmp_path: Path) -> None:
    """What is live at once; the log names what needs a restart, and no value."""
    async with (
        fake_vllm(Behaviour(itl_ms=40)) as fake,
        serving(tmp_path, replicas=(fake.url,)) as serve,
        aiohttp.ClientSession() as http,
    ):
        site, file = Site(serve, [fake], http), tmp_path / "cato.toml"
        async with site.opened(BODY) as stream:
            assert await promised_ms(site) == 250
            file.write_text(CHANGED)
            serve.process.send_signal(signal.SIGHUP)
            await eventually(lambda found: found == 400, lambda: promised_ms(site))
            assert "needs a restart: server.max_connections" in serve.said
            assert all(name in serve.said for name in ("log.level", "targets.completion.ttft_ms"))
            assert "s3cret" not in serve.said
            file.write_text(CHANGED.replace("400", "-1"))
            serve.process.send_signal(signal.SIGHUP)
            await serve.wait_said("targets.completion.ttft_ms: ")
            await serve.wait_said("; the former one stays in force")
            assert await promised_ms(site) == 400
            file.unlink()
            serve.process.send_signal(signal.SIGHUP)
            await serve.wait_said("; the former one stays in force", times=2)
            for times, wrong in enumerate(UNREADABLE, start=3):
                file.write_text(wrong)
                serve.process.send_signal(signal.SIGHUP)
                await serve.wait_said("; the former one stays in force", times=times)
            assert await promised_ms(site) == 400
            file.write_text("")
            serve.process.send_signal(signal.SIGHUP)
            await eventually(lambda found: found == 250, lambda: promised_ms(site))
            text = Answer(200, {}, await stream.read()).text
        assert text.split()


async def test_a_file_with_tokens_that_everybody_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "cato.toml"
    for section in ("[[replicas]]\nurl = 'http://127.0.0.1:9'", "[discovery]\nsources = []"):
        file.write_text(f"{section}\ntoken = 's3cret'\n")
        file.chmod(0o644)
        said = await refusal(tmp_path, "--config", str(file), "--port", "0")
        assert f"token: {file} is open to every user of this machine" in said
        assert "s3cret" not in said


async def test_what_could_not_be_read_again_is_told_where_only_warnings_are(tmp_path: Path) -> None:
    async with (
        fake_vllm() as fake,
        serving(tmp_path, replicas=(fake.url,), config="[log]\nformat = 'json'") as serve,
    ):
        file = tmp_path / "cato.toml"
        quiet = "[log]\nformat = 'json'\nlevel = 'warning'\n[server]\nmax_connections = 100\n"
        file.write_text(quiet)
        serve.process.send_signal(signal.SIGHUP)
        await serve.wait_said("needs a restart: server.max_connections")
        file.write_text(quiet.replace("100", "-1"))
        serve.process.send_signal(signal.SIGHUP)
        await serve.wait_said("; the former one stays in force")
        await fake.change(healthy=False)
        await serve.wait_said("static-1: down: ")
    lines = [json.loads(line) for line in serve.said.splitlines() if line.startswith("{")]
    refused = [line for line in lines if "stays in force" in line["message"]]
    assert [line["level"] for line in refused] == ["warning"]


async def test_a_file_that_became_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    tokens = secret_file(tmp_path / "tokens", "alice\n")
    arguments = ("--token-file", str(tokens), "--replica", "http://127.0.0.1:9")
    async with serving(tmp_path, *arguments) as serve:
        for file in (tokens, tmp_path / "cato.toml"):
            file.unlink()
            os.mkfifo(file, 0o600)
        serve.process.send_signal(signal.SIGHUP)
        await serve.wait_said(f"server.token_file: {tokens} is no regular file")
        await serve.wait_said("cato.toml is a pipe")
        async with aiohttp.ClientSession() as http:
            assert await status(Site(serve, [], http), "alice") == 200


async def test_hang_up_during_the_start_reloads_once_it_is_over() -> None:
    """Its default is to end the process."""
    former, reloads = signal.getsignal(signal.SIGHUP), asyncio.Queue[None]()
    signals = Signals()
    try:
        os.kill(os.getpid(), signal.SIGHUP)
        signals.listen()
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.sleep(0)
        signals.serves(lambda: reloads.put_nowait(None))
        assert reloads.qsize() == 1
        reloads.get_nowait()
        os.kill(os.getpid(), signal.SIGHUP)
        async with asyncio.timeout(5):
            await reloads.get()
    finally:
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().remove_signal_handler(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGHUP, former)


async def test_hang_up_without_files_ends_nothing(tmp_path: Path) -> None:
    async with (
        fake_vllm(Behaviour(itl_ms=20)) as fake,
        serving(tmp_path, replicas=(fake.url,)) as serve,
        aiohttp.ClientSession() as http,
    ):
        site = Site(serve, [fake], http)
        answer = asyncio.create_task(site.post(BODY))
        await fake.wait_until(lambda state: state.running == 1)
        serve.process.send_signal(signal.SIGHUP)
        await serve.wait_said("tokens: no server.token_file to read")
        assert (await answer).text.split()

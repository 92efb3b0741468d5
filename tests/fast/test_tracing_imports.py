"""Without tracing nothing of OpenTelemetry is imported, and a request costs nothing for it."""

from __future__ import annotations

import subprocess
import sys

from cato_backend.requests import Request, Target
from cato_backend.runtime.calls import ApiKind, Call
from cato_backend.runtime.in_flight import InFlightRequest
from cato_backend.runtime.traces import untraced
from cato_backend.wire.headers import Task

ALL_BUT_TRACING = """
import pkgutil, importlib, sys
import cato_backend, cato_lsp
for package in (cato_backend, cato_lsp):
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        skipped = ("cato_backend.tracing.", "cato_lsp.tracing.", "cato_backend.ray_cluster.")
        startup = (".__main__", ".in_engine", ".startup")
        if not found.name.startswith(skipped) and not any(part in found.name for part in startup):
            importlib.import_module(found.name)
print(*[name for name in sys.modules if name.startswith(("opentelemetry", "google."))])
"""


def test_no_module_but_tracing_s_own_imports_opentelemetry() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ALL_BUT_TRACING], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


def test_an_untraced_request_keeps_and_sends_nothing() -> None:
    request = Request("r", Task.GENERATION, "m", 0.0, Target(ttft_s=1.0), 10, 10)
    one, two = (InFlightRequest(Call(request, ApiKind.COMPLETION, {})) for _ in range(2))
    assert one.trace is two.trace is untraced(one.call), "a trace is made for each request"
    assert one.trace.headers() == {}

"""The files of docs/monitoring, with a real Prometheus in front of a real backend.

Grafana is in no Debian package: of its dashboard the queries are run, and not the drawing.
"""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.availability import had_or_skipped
from tests.e2e.backend import Backend, serve
from tests.e2e.monitoring.prometheus import Programs, Prometheus, ensure_programs, running
from tests.e2e.waiting import wait_for

FOLDER = Path(__file__).parents[3] / "docs" / "monitoring"
TOKEN = "the-token-of-prometheus"


def queries() -> dict[str, str]:
    """The queries of the dashboard, by panel, with Grafana's variables filled in."""
    panels = json.loads((FOLDER / "grafana-dashboard.json").read_text(encoding="utf-8"))["panels"]
    return {
        f"{panel['title']} {target['refId']}": _filled(target["expr"])
        for panel in panels
        for target in panel["targets"]
    }


def _filled(query: str) -> str:
    return query.replace("$__rate_interval", "5m").replace("$instance", ".*")


@pytest.fixture(scope="module")
def programs() -> Programs:
    return had_or_skipped(ensure_programs, "NO PROMETHEUS, docs/monitoring is not checked")


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """One that has answered a request."""
    with serve(tmp_path_factory.mktemp("monitored"), "a + b", token=TOKEN) as started:
        headers = {"content-type": "application/json", "authorization": f"Bearer {TOKEN}"}
        body = b'{"prompt": "def add(a, b):", "suffix": "", "max_tokens": 8, "stream": true}'
        request = urllib.request.Request(f"{started.url}/v1/completions", body, headers)
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert b"[DONE]" in answer.read()
        yield started


@pytest.fixture(scope="module")
def prometheus(
    programs: Programs, backend: Backend, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    """With the example's configuration, but for address, scheme and interval."""
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "token").write_text(f"{TOKEN}\n")
    text = (FOLDER / "prometheus.yml").read_text(encoding="utf-8")
    for documented, tested in (
        ("gpu.example.com:8700", backend.url.removeprefix("http://")),
        ("scheme: https", "scheme: http"),
        ("/etc/prometheus/cato-token", str(folder / "token")),
        ("alerts.yml", str(FOLDER / "alerts.yml")),
        (" 15s", " 1s"),
    ):
        assert documented in text
        text = text.replace(documented, tested)
    (folder / "prometheus.yml").write_text(text)
    with running(programs.prometheus, folder / "prometheus.yml", folder / "data") as started:
        yield started


@pytest.mark.parametrize("check", ["check rules alerts.yml", "test rules alerts_test.yml"])
def test_promtool_accepts_the_rules_and_their_tests(programs: Programs, check: str) -> None:
    command = [str(programs.promtool), *check.split()]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout


def test_every_alert_is_tested() -> None:
    named = re.findall(r"alert: (\w+)", (FOLDER / "alerts.yml").read_text(encoding="utf-8"))
    tests = (FOLDER / "alerts_test.yml").read_text(encoding="utf-8")
    assert len(named) > 5
    assert [name for name in named if tests.count(name) < 1] == []


def test_every_metric_that_is_named_exists(backend: Backend) -> None:
    headers = {"authorization": f"Bearer {TOKEN}"}
    request = urllib.request.Request(f"{backend.url}/metrics", headers=headers)
    with urllib.request.urlopen(request, timeout=5) as answer:
        kinds = dict(re.findall(r"^# TYPE (\S+) (\w+)$", answer.read().decode(), re.M))
    exist = {*kinds} | {f"{name}_bucket" for name, kind in kinds.items() if kind == "histogram"}
    rules = (FOLDER / "alerts.yml").read_text(encoding="utf-8")
    named = set(re.findall(r"\b(?:cato|process)_\w+", rules + " ".join(queries().values())))
    assert len(named) > 20
    assert named - exist == set()


def test_prometheus_scrapes_and_evaluates_as_the_example_says(prometheus: Prometheus) -> None:
    def healthy() -> bool:
        return [t["health"] for t in prometheus.get("targets")["activeTargets"]] == ["up"]

    wait_for("a scrape", healthy)
    wait_for("an evaluation", lambda: all(rule["health"] == "ok" for rule in rules(prometheus)))
    assert len(rules(prometheus)) > 5
    wait_for("the build", lambda: value(prometheus, "cato_build_info") == 1.0)
    assert value(prometheus, 'sum(cato_requests_total{outcome="met"})') == 1.0
    firing = [rule["name"] for rule in rules(prometheus) if rule.get("state") == "firing"]
    assert firing == []


@pytest.mark.parametrize("panel", queries())
def test_every_query_of_the_dashboard_is_understood(prometheus: Prometheus, panel: str) -> None:
    assert prometheus.get("query", query=queries()[panel])["resultType"] == "vector"


def test_panels_show_what_was_scraped(prometheus: Prometheus) -> None:
    wait_for("a second scrape", lambda: value(prometheus, "count_over_time(up[1m])", 0.0) > 1)
    for title in ("Replicas up A", "In the queue A", "Running A", "The gateway process B"):
        assert value(prometheus, queries()[title]) is not None, title


def rules(prometheus: Prometheus) -> list[dict[str, Any]]:
    return [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]


def value(prometheus: Prometheus, query: str, default: float | None = None) -> float | None:
    """The only value of a query; the default where it has none."""
    found = prometheus.get("query", query=query)["result"]
    return float(found[0]["value"][1]) if found else default

"""The page of a study: one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from math import isfinite, nan
from pathlib import Path
from typing import Any

from cato_backend.wire.headers import Task
from cato_lab.report.comparison import OURS, comparison_section
from cato_lab.report.figures import Figures
from cato_lab.scoring.records import milliseconds, percent
from cato_lab.scoring.statistics import Interval
from cato_lab.simulation.study import Point, knee

_STYLE = """
:root { color-scheme: light; --ink: #1c2430; --soft: #5b6675; --line: #e3e7ec; --ours: #eef6fa }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); margin: 0; background: #f6f7f9 }
main { max-width: 60rem; margin: 0 auto; padding: 2rem 1.5rem 4rem; background: white }
h1 { font-size: 1.6rem; margin: 0 0 .2rem } h2 { font-size: 1.15rem; margin: 2.4rem 0 .3rem }
p { margin: .3rem 0 .8rem; max-width: 46rem } .soft, figcaption { color: var(--soft) }
figure { margin: .6rem 0 0 } svg { width: 100%; height: auto } figcaption { font-size: .85rem }
table { border-collapse: collapse; font-size: .84rem; font-variant-numeric: tabular-nums }
.wide { overflow-x: auto }
th, td { padding: .28rem .6rem; text-align: right; border-bottom: 1px solid var(--line) }
th { font-weight: 600; vertical-align: bottom } th:first-child, td:first-child { text-align: left }
td.best { font-weight: 650 }
td.worse { background: #fbe3dc } td.better { background: #e2f2e8 }
tr.ours { background: var(--ours) } td i { color: var(--soft) }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; font-size: .86rem }
dt { color: var(--soft) } dd { margin: 0; overflow-wrap: anywhere }
"""


def write_page(
    path: Path, points: Sequence[Point], settings: Mapping[str, Any], load_name: str
) -> None:
    """Write the report of a study to `path`."""
    figures = Figures(points, load_name)
    shown = _telling_load(points)
    at = f"At {shown:g} {load_name}"
    parts = [
        _head(points, settings, load_name),
        *_figure("Goodput", _GOODPUT, figures.goodput()),
        *_figure("Each class", "No class may pay for another.", figures.classes()),
        *_figure("Latencies", f"{at}, all seeds together. {_CURVES}", figures.latencies(shown)),
        *_figure("Time to usable text", f"{_USABLE} Left: {at.lower()}.", figures.usable(shown)),
        *_figure("Why targets were missed", f"{at}, of all that counted.", figures.misses(shown)),
        *_figure("Utilization", _UTILIZATION, figures.utilization()),
        comparison_section(points, load_name),
        "<h2>All figures</h2>",
        _table(points, load_name),
        "<h2>Settings</h2>",
        _settings(settings),
    ]
    path.write_text(_page("".join(parts)), encoding="utf-8")


_GOODPUT = (
    "The share of requests that met their target, of all that were still wanted at their deadline; "
    "refused, failed and late ones are misses. Bands: 95% confidence over the seeds, from five on."
)
_CURVES = (
    "Dotted: the target. A curve that ends below 100% is of requests that were never answered."
)
_USABLE = "Editors show a completion when it is complete: E2E of those that were not cancelled."
_UTILIZATION = (
    "Left: engine time that the met requests are worth, at full batches and without cache hits, "
    "over the time paid for. Right: time in which a step was under way; every engine that has one "
    "request is busy."
)


def _page(body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>CATO simulation</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><main>{body}</main></body></html>\n"
    )


def _head(points: Sequence[Point], settings: Mapping[str, Any], load_name: str) -> str:
    runs = sum(len(point.results) for point in points)
    counted = sum(r.score.overall.requests for point in points for r in point.results)
    said = (
        f"{settings['replicas']} replicas of {settings['profile']}, workload "
        f"{settings['workload']}, {settings['duration_s']:g} s. {runs} runs, {counted:,} requests."
    )
    return (
        f"<h1>CATO simulation</h1><p class=soft>Virtual time. {escape(said)}</p>"
        f"<h2>Knees</h2><p>The highest load ({escape(load_name)}) with at least 95% goodput, "
        f"between the loads tried.</p>{_knees(points)}"
    )


def _knees(points: Sequence[Point]) -> str:
    policies = dict.fromkeys(point.policy for point in points)
    of = {name: knee([p for p in points if p.policy == name]) for name in policies}
    rows = sorted(of.items(), key=lambda item: -item[1] if isfinite(item[1]) else 0.0)
    highest = max(point.load for point in points)
    cells = "".join(
        f"<tr{_ours(name)}><td>{escape(name)}<td>{_knee_text(at, highest)}" for name, at in rows
    )
    return f"<table><tr><th>policy<th>knee{cells}</table>"


def _knee_text(at: float, highest: float) -> str:
    if not isfinite(at):
        return "below all"
    return f"{at:.4g} or more" if at == highest else f"{at:.4g}"


def _figure(title: str, text: str, svg: str) -> Iterable[str]:
    yield f"<h2>{escape(title)}</h2><p class=soft>{escape(text)}</p><figure>{svg}</figure>"


def _telling_load(points: Sequence[Point]) -> float:
    """Return the load at which the policies differ most: there the details are worth a look."""
    loads = sorted({point.load for point in points})

    def spread(load: float) -> float:
        found = [_goodput(point).mean for point in points if point.load == load]
        return max(found) - min(found)

    return max(loads, key=spread)


def _goodput(point: Point) -> Interval:
    return point.over(lambda score: score.overall.goodput)


def _table(points: Sequence[Point], load_name: str) -> str:
    heads = ["policy", load_name, "goodput %", *(f"{task.value} %" for task in Task)]
    heads += ["usable %", "completion TTFT p95 ms", "generation TTFT p95", "summarization E2E p95"]
    heads += ["translation E2E p95", "utilization %", "cached %"]
    best = {load: max(_at(points, load), default=nan) for load in {p.load for p in points}}
    ordered = sorted(points, key=lambda point: (point.load, -_goodput(point).mean))
    body = "".join(_row(point, best[point.load]) for point in ordered)
    head = "".join(f"<th>{escape(text)}" for text in heads)
    return f"<div class=wide><table><tr>{head}{body}</table></div>"


def _at(points: Sequence[Point], load: float) -> list[float]:
    return [_goodput(point).mean for point in points if point.load == load]


def _row(point: Point, best: float) -> str:
    goodput = _goodput(point)
    mark = " class=best" if goodput.mean == best else ""
    cells = [
        f"<td>{escape(point.policy)}<td>{point.load:g}<td{mark}>{_share(goodput)}",
        *(f"<td>{_share(point.of_class(t, lambda score: score.goodput))}" for t in Task),
        f"<td>{_share(point.of_class(Task.COMPLETION, lambda score: score.usable))}",
        *(f"<td>{milliseconds(value)}" for value in promised_p95(point)),
        f"<td>{percent(point.over(lambda score: score.utilization).mean)}",
        f"<td>{percent(point.over(lambda score: score.overall.cached_share).mean)}",
    ]
    return f"<tr{_ours(point.policy)}>{''.join(cells)}"


def promised_p95(point: Point) -> Iterable[float]:
    """Yield the P95 latency of each class, of the kind that its target is about."""
    for task in (Task.COMPLETION, Task.GENERATION):
        yield point.of_class(task, lambda score: score.ttft.at(95)).mean
    for task in (Task.SUMMARIZATION, Task.TRANSLATION):
        yield point.of_class(task, lambda score: score.e2e.at(95)).mean


def _share(found: Interval) -> str:
    half = f" <i>±{100 * found.half:.1f}</i>" if isfinite(found.half) else ""
    return percent(found.mean) + half


def _ours(policy: str) -> str:
    return " class=ours" if policy.startswith(OURS) else ""


def _settings(settings: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<dt>{escape(str(name))}<dd>{escape(str(value))}" for name, value in settings.items()
    )
    return f"<dl>{rows}</dl>"

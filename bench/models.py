"""What a model is worth on this machine, served as `cato serve --model NAME` serves it.

python -m bench.models embedded qwen2.5-coder-0.5b-instruct /path/to/folder --json out.json

Each model gets the same: prompts of 1,200 characters, cold and typed along (TTFT), a stream of 64
tokens (tokens/s), the everyday places of `training/places.py`, which the embedded model's training
looks for (how many are completed usefully), functions that `cato complete` completes and Python
executes, and functions to translate to JavaScript through `/v1/tasks`, which Node executes
(`bench/model_tasks.py`; how many are right). Memory: proportional set size of the engine's
processes. A table in Markdown is printed. What a model writes is executed here, with a time limit.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.machine import save
from bench.model_tasks import TO_COMPLETE, TO_TRANSLATE
from bench.processes import Measured, running
from cato_backend.config import EMBEDDED
from cato_backend.replicas.warden import descendants
from cato_backend.wire import sse
from training.places import IDIOMS

GREETING = re.compile(r"CATO serves at (\S+)")
CATO = (sys.executable, "-m", "cato_backend")
PROMPT_CHARS = 1200
PROMPTS = 5
TOKENS = 64
TIMEOUT_S = 300
PATIENT = {"x-slo-ttft-ms": "60000", "x-slo-e2e-ms": "120000"}
SOURCE = Path(__file__).parents[1] / "backend/cato_backend/runtime/catalog.py"


@dataclass(frozen=True, slots=True)
class Served:
    """What was measured of one model. Times in seconds, memory in MB."""

    model: str
    cold_ttft_s: float
    warm_ttft_s: float
    tokens_per_s: float
    memory: float
    places: str
    functions: str
    translations: str


def main() -> None:
    """Measures each model, and prints a table."""
    parser = argparse.ArgumentParser(description="what models are worth on this machine")
    parser.add_argument("models", nargs="+", help="as for cato serve --model")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    measured = [_measured(name) for name in arguments.models]
    print(_table(measured))
    if arguments.json:
        rows = [asdict(each) for each in measured]
        save(arguments.json, {"models": rows})


def _measured(model: str) -> Served:
    with (
        tempfile.TemporaryDirectory(prefix="cato-models-") as folder,
        served(model, Path(folder)) as (url, process),
    ):
        cold, warm = zip(*(_ttfts(url, number) for number in range(PROMPTS)), strict=True)
        return Served(
            model=model,
            cold_ttft_s=round(statistics.median(cold), 2),
            warm_ttft_s=round(statistics.median(warm), 2),
            tokens_per_s=round(_tokens_per_s(url), 1),
            memory=_memory(process),
            places=_places(url),
            functions=_functions(url),
            translations=_translations(url),
        )


@contextmanager
def served(model: str, folder: Path) -> Generator[tuple[str, Measured]]:
    """Yield the URL and the process of `cato serve` for one model, once that has answered."""
    name = "cato-embedded" if model == EMBEDDED else model.rstrip("/").rsplit("/", 1)[-1]
    file = folder / "cato.toml"
    file.write_text(f"[[models]]\nname = {json.dumps(name)}\npath = {json.dumps(model)}\n")
    command = [*CATO, "serve", "--loopback-token", "never", "--port", "0", "--config", str(file)]
    with running(command, folder / "serve.log") as process:
        url = process.matching(GREETING)
        # The calibration that follows the start would be measured with it.
        _stream(url, "/v1/completions", {"prompt": "#", "max_tokens": 1})
        time.sleep(10)
        yield url, process


def _ttfts(url: str, number: int) -> tuple[float, float]:
    """Of a prompt that was never seen, and of the same with some more typed behind it."""
    text = SOURCE.read_text(encoding="utf-8")
    prompt = text[number * PROMPT_CHARS : (number + 1) * PROMPT_CHARS]
    first, second = ({"prompt": p, "max_tokens": 1} for p in (prompt, prompt + "\nnext_value"))
    return (
        _stream(url, "/v1/completions", first)[0],
        _stream(url, "/v1/completions", second)[0],
    )


def _tokens_per_s(url: str) -> float:
    body = {"prompt": "def main():\n", "max_tokens": TOKENS, "ignore_eos": True}
    first, whole, _ = _stream(url, "/v1/completions", body)
    return (TOKENS - 1) / (whole - first)


def _places(url: str) -> str:
    places = [(idiom, place) for idiom in IDIOMS for place in idiom.places]
    right = 0
    for idiom, place in places:
        body = {"prompt": place.before, "suffix": place.after, "max_tokens": 48}
        answer = _text(_stream(url, "/v1/completions", body)[2])
        right += place.is_right(idiom, answer)
    return f"{right} of {len(places)}"


def _functions(url: str) -> str:
    """As an editor completes them: `cato complete` ends an answer with the syntactic unit."""
    right = 0
    with tempfile.TemporaryDirectory(prefix="cato-models-") as folder:
        file = Path(folder) / "begun.py"
        for begun in TO_COMPLETE:
            file.write_text(begun.before + begun.after, encoding="utf-8")
            line, column = begun.before.count("\n") + 1, len(begun.before.rpartition("\n")[2]) + 1
            place = f"{file}:{line}:{column}"
            command = [*CATO, "complete", place, "--json", "--url", url]
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
            right += done.returncode == 0 and begun.is_right(json.loads(done.stdout)["text"])
    return f"{right} of {len(TO_COMPLETE)}"


def _translations(url: str) -> str:
    right = 0
    for function in TO_TRANSLATE:
        unit = {"name": "", "kind": "function", "text": function.source}
        body = {"task": "translation", "language": "python", "target_language": "javascript"}
        events = _stream(url, "/v1/tasks", {**body, "units": [unit]})[2]
        result = next((json.loads(e.data)["text"] for e in events if e.name == "result"), "")
        right += function.is_right(result)
    return f"{right} of {len(TO_TRANSLATE)}"


def _stream(url: str, path: str, body: dict[str, Any]) -> tuple[float, float, list[sse.Event]]:
    """Seconds to the first event and to the last, and the events."""
    plain = {} if path == "/v1/tasks" else {"stream": True, "temperature": 0}
    data = json.dumps({"model": "cato", **plain, **body}).encode()
    headers = {"Content-Type": "application/json", **PATIENT}
    request = urllib.request.Request(url + path, data, headers)
    began, first, reader = time.perf_counter(), 0.0, sse.EventReader()
    events: list[sse.Event] = []
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
        while piece := response.read1():
            first = first or time.perf_counter() - began
            events += reader.feed(piece)
    return first, time.perf_counter() - began, events


def _text(events: Sequence[sse.Event]) -> str:
    chunks = (json.loads(event.data) for event in events if event.data != sse.DONE)
    return "".join(choice.get("text") or "" for c in chunks for choice in c.get("choices") or ())


def _memory(process: Measured) -> float:
    """Of the engine, without `cato serve` itself."""
    pages = (Path(f"/proc/{pid}/smaps_rollup") for pid in descendants(process.pid))
    lines = (line for page in pages for line in page.read_text().splitlines())
    return round(sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1e3)


def _table(measured: Sequence[Served]) -> str:
    rows = [
        "| model | TTFT cold, s | typed along, s | tokens/s | memory, MB | places | functions "
        "| JavaScript |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for each in measured:
        figures = (each.cold_ttft_s, each.warm_ttft_s, each.tokens_per_s, each.memory)
        shown = " | ".join(map(str, figures))
        right = f"{each.places} | {each.functions} | {each.translations}"
        rows.append(f"| `{each.model}` | {shown} | {right} |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()

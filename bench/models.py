"""What a model is worth on this machine, served as `cato serve --model NAME` serves it.

python -m bench.models embedded qwen2.5-coder-0.5b-instruct /path/to/folder --json out.json

Each model gets the same: prompts of 1,200 characters, cold and typed along (TTFT), a stream of 64
tokens (tokens/s), the everyday places of `training/places.py` (how many are completed usefully),
and functions to translate to JavaScript through `/v1/tasks`, which Node executes (how many do the
same). Memory: proportional set size of the engine's processes. A table in Markdown is printed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cato_backend.config import EMBEDDED
from cato_backend.wire import sse
from tests.e2e.real import RealBackend, serve
from training.places import IDIOMS

PROMPT_CHARS = 1200
PROMPTS = 5
TOKENS = 64
TIMEOUT_S = 300
PATIENT = {"x-slo-ttft-ms": "60000", "x-slo-e2e-ms": "120000"}
SOURCE = Path(__file__).parents[1] / "backend/cato_backend/runtime/catalog.py"


@dataclass(frozen=True, slots=True)
class Translated:
    """A Python function, and an expression of JavaScript that holds where its translation works."""

    source: str
    works: str


FUNCTIONS = (
    Translated(
        "def merge(a, b):\n    out = []\n    i = j = 0\n    while i < len(a) and j < len(b):\n"
        "        if a[i] <= b[j]:\n            out.append(a[i])\n            i += 1\n"
        "        else:\n            out.append(b[j])\n            j += 1\n"
        "    return out + a[i:] + b[j:]\n",
        "JSON.stringify(merge([1, 4], [2, 3, 9])) === '[1,2,3,4,9]'",
    ),
    Translated(
        "def count(text):\n    counts = {}\n    for word in text.split():\n"
        "        counts[word] = counts.get(word, 0) + 1\n    return counts\n",
        "(count('a b a').a ?? count('a b a').get('a')) === 2",
    ),
    Translated(
        "def gcd(a, b):\n    while b:\n        a, b = b, a % b\n    return a\n", "gcd(12, 18) === 6"
    ),
    Translated(
        "def chunks(items, size):\n    for i in range(0, len(items), size):\n"
        "        yield items[i:i + size]\n",
        "JSON.stringify([...chunks([1, 2, 3], 2)]) === '[[1,2],[3]]'",
    ),
    Translated(
        "def prime(n):\n    if n < 2:\n        return False\n"
        "    for i in range(2, int(n ** 0.5) + 1):\n        if n % i == 0:\n"
        "            return False\n    return True\n",
        "prime(7) && !prime(9) && !prime(1) && prime(2)",
    ),
    Translated(
        "def flatten(items):\n    result = []\n    for item in items:\n"
        "        if isinstance(item, list):\n            result.extend(flatten(item))\n"
        "        else:\n            result.append(item)\n    return result\n",
        "JSON.stringify(flatten([1, [2, [3]]])) === '[1,2,3]'",
    ),
    Translated(
        "def most(counts):\n    return max(counts, key=counts.get)\n", "most({a: 1, b: 3}) === 'b'"
    ),
    Translated(
        "def clamp(x, low=0, high=1):\n    return max(low, min(high, x))\n",
        "clamp(5) === 1 && clamp(-1) === 0",
    ),
)


@dataclass(frozen=True, slots=True)
class Served:
    """What was measured of one model. Times in seconds, memory in MB."""

    model: str
    cold_ttft_s: float
    warm_ttft_s: float
    tokens_per_s: float
    memory: float
    places: str
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
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


def _measured(model: str) -> Served:
    with tempfile.TemporaryDirectory(prefix="cato-models-") as folder, _served(model, folder) as it:
        cold, warm = zip(*(_ttfts(it.url, number) for number in range(PROMPTS)), strict=True)
        return Served(
            model=model,
            cold_ttft_s=round(statistics.median(cold), 2),
            warm_ttft_s=round(statistics.median(warm), 2),
            tokens_per_s=round(_tokens_per_s(it.url), 1),
            memory=_memory(it),
            places=_places(it.url),
            translations=_translations(it.url),
        )


@contextmanager
def _served(model: str, folder: str) -> Generator[RealBackend]:
    name = "cato-embedded" if model == EMBEDDED else model.rstrip("/").rsplit("/", 1)[-1]
    config = f"[[models]]\nname = {json.dumps(name)}\npath = {json.dumps(model)}\n"
    with serve(Path(folder), config) as backend:
        # The calibration that follows the start would be measured with it.
        _stream(backend.url, "/v1/completions", {"prompt": "#", "max_tokens": 1})
        time.sleep(10)
        yield backend


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


def _translations(url: str) -> str:
    right = sum(_works(url, function) for function in FUNCTIONS)
    return f"{right} of {len(FUNCTIONS)}"


def _works(url: str, function: Translated) -> bool:
    unit = {"name": "", "kind": "function", "text": function.source}
    body = {"task": "translation", "language": "python", "target_language": "javascript"}
    events = _stream(url, "/v1/tasks", {**body, "units": [unit]})[2]
    result = next((json.loads(e.data)["text"] for e in events if e.name == "result"), "")
    code = f"{result}\nconsole.log(({function.works}) ? 'works' : 'differs')"
    try:
        done = subprocess.run(["node", "-e", code], capture_output=True, text=True, timeout=10)
    except subprocess.TimeoutExpired:
        return False
    return done.stdout.strip().endswith("works")


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


def _memory(backend: RealBackend) -> float:
    """Of the engine, without `cato serve` itself."""
    pages = (Path(f"/proc/{pid}/smaps_rollup") for pid in backend.descendants())
    lines = (line for page in pages for line in page.read_text().splitlines())
    return round(sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1e3)


def _table(measured: Sequence[Served]) -> str:
    rows = [
        "| model | TTFT cold, s | typed along, s | tokens/s | memory, MB | places | JavaScript |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in measured:
        figures = (each.cold_ttft_s, each.warm_ttft_s, each.tokens_per_s, each.memory)
        shown = " | ".join(map(str, figures))
        rows.append(f"| `{each.model}` | {shown} | {each.places} | {each.translations} |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()

"""A replica of a known law, in virtual time, whose streams teach a `LearnedLaw` as they do live."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, product

from cato_backend.engine_model import Engine, Job, Timeline
from cato_backend.prediction.learned_law import LearnedLaw
from cato_backend.profile_files.profile import EngineLimits, Profile, StepLaw
from cato_lab.simulation.fleet import Slowdown, Speed

MAX = StepLaw("max", 0.004, 0.012, 6e-5, 8e-5, 3e-8, 2e-9)
ADDITIVE = StepLaw("additive", 0.020, 0.0, 1e-4, 1e-4, 2e-8, 5e-9)
LIMITS = EngineLimits(max_num_seqs=64, max_num_batched_tokens=2048)


@dataclass(frozen=True, slots=True)
class Wires:
    """What lies between engine and gateway."""

    way_s: float = 0.001
    """Each way."""
    jitter_s: float = 0.0
    """Standard deviation of what a token takes longer."""
    bunch: int = 1
    """Tokens that a stream brings at once (vLLM's stream interval)."""
    stalls: float = 0.0
    """Share of steps whose tokens come 100 to 400 ms late, as when the gateway itself is busy."""


@dataclass(slots=True)
class _Stream:
    prompt: int
    emitted: int = 0
    told: int = 0


class Streamed:
    """The replica. Times in seconds."""

    def __init__(
        self,
        law: StepLaw,
        learned: LearnedLaw,
        wires: Wires | None = None,
        limits: EngineLimits = LIMITS,
        slowdowns: tuple[Slowdown, ...] = (),
        noise: float = 0.0,
    ) -> None:
        self.learned = learned
        self.now = 0.0
        self._wires = wires or Wires()
        self._rng = random.Random(7)
        self._timeline = Timeline(Engine(law, limits), most=1)
        self._pace = Speed(noise, slowdowns=slowdowns, seed=7).pace(400.0)
        self._streams: dict[str, _Stream] = {}
        self._unstarted = 0
        self._heard: list[tuple[float, int, str, int]] = []
        self._sent: list[tuple[float, int, Job]] = []
        self._order = count()
        self._names = count()
        self._hung = False

    # -- what a gateway does -------------------------------------------------------------------

    def send(self, prompt: int, output: int) -> str:
        """A request, now."""
        name = f"r{next(self._names)}"
        idle = not self._streams
        self._streams[name] = _Stream(prompt)
        self._unstarted += 1
        self.learned.dispatched(name, prompt, 0, self.now, idle=idle)
        arrival = self.now + self._wires.way_s
        heapq.heappush(self._sent, (arrival, next(self._order), Job(name, prompt, output)))
        return name

    def abort(self, name: str) -> None:
        """Its client has left."""
        stream = self._streams.pop(name, None)
        if stream is not None:
            self._unstarted -= not stream.told
            self.learned.left(name)
            self._timeline.abort(name, self._pace.engine_time(self.now))

    def hang(self) -> None:
        """No step ends any more."""
        self._hung = True

    def run(self, until: float) -> None:
        """Lets time pass."""
        while (event := self._next_event()) is not None and event <= until:
            self.now = event
            self._deliver()
        self.now = until

    def load(self, seconds: float, rate: float, prompt: int = 600, output: int = 40) -> None:
        """Requests at random, around these lengths."""
        end = self.now + seconds
        while (gap := self._rng.expovariate(rate)) + self.now < end:
            self.run(self.now + gap)
            self.send(self._around(prompt, 0.8, 4000), self._around(output, 0.7, 300))
        self.run(end)

    def alone(self, prompt: int, output: int) -> None:
        """One request on the idle replica, to its end."""
        self.send(prompt, output)
        while self._streams:
            event = self._next_event()
            assert event is not None
            self.run(event)
        self.run(self.now + 0.5)

    # -- the wires -----------------------------------------------------------------------------

    def _next_event(self) -> float | None:
        times = [queue[0][0] for queue in (self._sent, self._heard) if queue]
        ends = None if self._hung else self._timeline.next_time
        if ends is not None:
            times.append(max(self.now, self._pace.real_time(ends)))
        return min(times, default=None)

    def _deliver(self) -> None:
        while self._sent and self._sent[0][0] <= self.now:
            job = heapq.heappop(self._sent)[2]
            if job.id in self._streams:
                self._timeline.submit(job, self._pace.engine_time(self.now))
        while self._heard and self._heard[0][0] <= self.now:
            self._hear(*heapq.heappop(self._heard)[2:])
        if not self._hung:
            self._step()

    def _step(self) -> None:
        ends = self._timeline.next_time
        if ends is None or self._pace.real_time(ends) > self.now:
            return
        emitting = list(self._timeline.engine.emitting())
        late = self._late_s()
        (passed,) = self._timeline.advance(ends)
        for name in emitting:
            stream = self._streams.get(name)
            if stream is None:
                continue
            stream.emitted += 1
            done = name in passed.end.finished
            if done or stream.emitted == 1 or stream.emitted % self._wires.bunch == 0:
                at = (
                    self.now
                    + self._wires.way_s
                    + late
                    + abs(self._rng.gauss(0, 1)) * (self._wires.jitter_s)
                )
                tokens = stream.emitted if not done else -stream.emitted
                heapq.heappush(self._heard, (at, next(self._order), name, tokens))

    def _late_s(self) -> float:
        stalled = self._rng.random() < self._wires.stalls
        return self._rng.uniform(0.1, 0.4) if stalled else 0.0

    def _hear(self, name: str, emitted: int) -> None:
        stream = self._streams.get(name)
        if stream is None:
            return
        tokens = abs(emitted) - stream.told
        if tokens > 0:
            self._unstarted -= not stream.told
            stream.told += tokens
            running = self._streams.values()
            kv_tokens = sum(each.prompt + each.told for each in running)
            decoding = len(self._streams) - self._unstarted
            self.learned.tokens(name, tokens, self.now, decoding, kv_tokens)
        if emitted < 0:
            del self._streams[name]
            self.learned.left(name)

    def _around(self, median: int, sigma: float, most: int) -> int:
        return max(1, min(most, round(median * self._rng.lognormvariate(0, sigma))))


def told(law: StepLaw | None, spread: float = 0.25) -> LearnedLaw:
    """The belief before anything was seen."""
    return LearnedLaw(None if law is None else Profile("m", "h", law, LIMITS, spread=spread))


def scaled(law: StepLaw, factor: float) -> StepLaw:
    """Every step so many times as long."""
    terms = (law.base, law.weights, law.per_new_token, law.per_sequence, law.per_kv_token)
    return StepLaw(law.form, *(factor * term for term in (*terms, law.per_attention)))


def steps() -> Iterator[tuple[int, int, int, float]]:
    """Loads of steps: decoding alone, and with a prompt."""
    for sequences, prompt in product((1, 4, 8), (0, 100, 500, 1500)):
        new, running = sequences + prompt, sequences + (prompt > 0)
        yield new, running, 800 * sequences + prompt, prompt**2 / 2


def error(learned: LearnedLaw, law: StepLaw) -> float:
    """The mean relative error of the believed step times."""
    believed = learned.belief.law
    off = [abs(believed.seconds(*step) / law.seconds(*step) - 1) for step in steps()]
    return sum(off) / len(off)

"""The same engine written plainly: every sequence and every block is touched in every step."""

from __future__ import annotations

from dataclasses import dataclass, field

from cato_backend.engine_model import Job
from cato_backend.profile_files.profile import EngineLimits


@dataclass(eq=False)
class Block:
    """A place for `block_size` tokens."""

    key: int | None = None
    holders: int = 0
    used: int = 0


@dataclass(eq=False)
class Sequence:
    """A job, its tokens counted one by one."""

    job: Job
    arrival: int
    computed: int = 0
    emitted: int = 0
    admitted: int = 0
    decodes: bool = False
    blocks: list[Block] = field(default_factory=list)

    @property
    def tokens(self) -> int:
        return self.job.prompt_tokens + self.emitted


@dataclass
class PlainStep:
    """What the real engine is compared with."""

    load: tuple[int, int, int, float]
    admitted: list[tuple[str, int]]
    preempted: list[str]
    emitted: list[str]
    finished: list[str]


class PlainEngine:
    """One step at a time, without any running sums."""

    def __init__(self, limits: EngineLimits, order: str) -> None:
        self.limits, self.order = limits, order
        self.blocks = [Block() for _ in range(limits.kv_tokens // limits.block_size)]
        self.waiting: list[Sequence] = []
        self.running: list[Sequence] = []
        self.clock = self.arrivals = self.admissions = self.longest = 0

    def submit(self, job: Job) -> None:
        self.waiting.append(Sequence(job, self.arrivals))
        self.arrivals += 1

    def abort(self, job_id: str) -> None:
        self.waiting = [s for s in self.waiting if s.job.id != job_id]
        for sequence in [s for s in self.running if s.job.id == job_id]:
            self.running.remove(sequence)
            self._free(sequence)

    def step(self) -> PlainStep | None:
        threshold = self.limits.long_prefill_token_threshold
        alone = len(self.running) + len(self.waiting) == 1
        self.longest = self.limits.max_num_batched_tokens if alone or not threshold else threshold
        preempted = self._make_room()
        chunks = self._chunks()
        for sequence, chunk in chunks.items():
            self._grow(sequence, chunk)
        admitted = [] if preempted else self._admit(chunks)
        if not self.running:
            return None
        load = self._load(chunks)
        return PlainStep(load, admitted, preempted, *self._finish(chunks))

    def _chunks(self) -> dict[Sequence, int]:
        """The budget goes to all that run in the order of admission, as vLLM has it: nothing that
        decodes is left without its token by the prompts that were admitted before it."""
        budget = self.limits.max_num_batched_tokens
        chunks: dict[Sequence, int] = {}
        for sequence in self.running:
            chunks[sequence] = min(sequence.tokens - sequence.computed, self.longest, budget)
            assert chunks[sequence] > 0
            budget -= chunks[sequence]
        return {s: chunks[s] for s in sorted(chunks, key=lambda s: not s.decodes)}

    def _make_room(self) -> list[str]:
        preempted: list[str] = []
        while sum(self._missing(s, c) for s, c in self._chunks().items()) > self._free_blocks():
            victim = max(self.running, key=self._expendable)
            self.running.remove(victim)
            self._free(victim)
            victim.computed, victim.decodes = 0, False
            self.waiting.append(victim)
            preempted.append(victim.job.id)
        return preempted

    def _expendable(self, sequence: Sequence) -> tuple[int, int]:
        if self.order == "fcfs":
            return sequence.admitted, 0
        return sequence.job.priority, sequence.arrival

    def _admit(self, chunks: dict[Sequence, int]) -> list[tuple[str, int]]:
        admitted: list[tuple[str, int]] = []
        budget = self.limits.max_num_batched_tokens - sum(chunks.values())
        self.waiting.sort(
            key=lambda s: (s.job.priority if self.order == "priority" else 0, s.arrival)
        )
        while self.waiting and budget and len(self.running) < self.limits.max_num_seqs:
            sequence = self.waiting[0]
            found = self._found(sequence)
            needed = -(-sequence.tokens // self.limits.block_size) - len(found)
            if needed > self._free_blocks() - sum(not block.holders for block in found):
                break
            self.waiting.pop(0)
            self.running.append(sequence)
            sequence.admitted, self.admissions = self.admissions, self.admissions + 1
            sequence.blocks = found
            for block in found:
                block.holders += 1
            sequence.computed = len(found) * self.limits.block_size
            chunks[sequence] = min(sequence.tokens - sequence.computed, self.longest, budget)
            budget -= chunks[sequence]
            self._grow(sequence, chunks[sequence])
            admitted.append((sequence.job.id, sequence.computed))
        return admitted

    def _found(self, sequence: Sequence) -> list[Block]:
        found: list[Block] = []
        most = (sequence.tokens - 1) // self.limits.block_size
        for key in sequence.job.block_hashes[:most]:
            block = next((block for block in self.blocks if block.key == key), None)
            if block is None:
                break
            found.append(block)
        return found

    def _missing(self, sequence: Sequence, chunk: int) -> int:
        return -(-(sequence.computed + chunk) // self.limits.block_size) - len(sequence.blocks)

    def _free_blocks(self) -> int:
        return sum(not block.holders for block in self.blocks)

    def _grow(self, sequence: Sequence, chunk: int) -> None:
        """Takes blocks, those without a key first, then the longest unused; names whole ones."""
        for _ in range(self._missing(sequence, chunk)):
            free = [block for block in self.blocks if not block.holders]
            block = min(free, key=lambda block: (block.key is not None, block.used))
            block.key, block.holders = None, 1
            sequence.blocks.append(block)
        if not sequence.decodes:
            self._name(sequence, sequence.computed + chunk)

    def _name(self, sequence: Sequence, computed: int) -> None:
        keys = sequence.job.block_hashes[: computed // self.limits.block_size]
        for key, block in zip(keys, sequence.blocks, strict=False):
            if block.key is None and all(other.key != key for other in self.blocks):
                block.key = key

    def _free(self, sequence: Sequence) -> None:
        self._name(sequence, sequence.computed)
        for block in reversed(sequence.blocks):
            block.holders -= 1
            if not block.holders:
                self.clock += 1
                block.used = self.clock
        sequence.blocks = []

    def _load(self, chunks: dict[Sequence, int]) -> tuple[int, int, int, float]:
        contexts = {s: s.computed + chunk for s, chunk in chunks.items()}
        fresh = {s: chunk for s, chunk in chunks.items() if not s.decodes}
        attention = sum(chunk * (s.computed + chunk / 2) for s, chunk in fresh.items())
        return sum(chunks.values()), len(chunks), sum(contexts.values()), attention

    def _finish(self, chunks: dict[Sequence, int]) -> tuple[list[str], list[str]]:
        emitted: list[str] = []
        finished: list[Sequence] = []
        for sequence, chunk in chunks.items():
            sequence.computed += chunk
            if sequence.computed == sequence.tokens:
                sequence.emitted += 1
                sequence.decodes = True
                emitted.append(sequence.job.id)
            if sequence.emitted == sequence.job.output_tokens:
                finished.append(sequence)
        for sequence in finished:
            self.running.remove(sequence)
            self._free(sequence)
        return emitted, [sequence.job.id for sequence in finished]

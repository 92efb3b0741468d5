"""Trains the embedded model; resumable, deterministic by seed, one script for CPU and GPU.

    python -m training.train --preset cpu --shards SHARDS --out RUN --steps 2000

Learning rate: linear warm-up, constant, then linear to zero over the last `--decay-steps`
(warm-up, stable, decay; arXiv 2404.06395). To end early, stop it (SIGTERM writes a checkpoint) and
start it again with a smaller `--steps`. To go on with longer rows, start it again with other
`--shards`.
"""

from __future__ import annotations

import argparse
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training import checkpoint
from training.model import Qwen2
from training.optimiser import Optimiser, has_bfloat16
from training.presets import PRESETS, Preset

IGNORE = -100


def read_rows(folder: Path, skip: int) -> Iterator[Tensor]:
    """Rows of token ids in file order, from row `skip` on; starts again when they run out."""
    while True:
        for path in sorted(folder.glob("shard-*.npz")):
            with np.load(path) as archive:
                rows = archive["rows"]
            for row in rows[skip:]:
                yield torch.from_numpy(row.astype(np.int64))
            skip = max(0, skip - len(rows))


def rate_scale(step: int, steps: int, warmup: int, decay: int) -> float:
    """The share of the full learning rate for a step counted from 0."""
    return max(0.0, min(1.0, (step + 1) / warmup, (steps - step) / decay))


class Trainer:
    """One run: a network, its optimiser, its data and its progress."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        torch.manual_seed(arguments.seed)
        if arguments.threads:
            torch.set_num_threads(arguments.threads)
        self.arguments = arguments
        self.preset: Preset = PRESETS[arguments.preset]
        self.model = Qwen2(self.preset.shape).to(self.preset.device)
        self.optimiser = Optimiser(self.model, arguments.muon_rate, arguments.adam_rate)
        self.folder: Path = arguments.out / "checkpoint"
        if arguments.start_from:
            checkpoint.load_exported(arguments.start_from, self.model)
        self.progress = checkpoint.load(self.folder, self.model, self.optimiser)
        if self.progress.shards != arguments.shards.name:
            self.progress.shards, self.progress.rows = arguments.shards.name, 0
        self.rows = read_rows(arguments.shards, self.progress.rows)
        self.loss = torch.compile(self.model.loss, dynamic=False)
        self.stopping = False

    def precision(self) -> torch.autocast:
        """bfloat16 products where the hardware has them; elsewhere they are many times slower."""
        device = self.preset.device
        return torch.autocast(device, torch.bfloat16, enabled=has_bfloat16(device))

    def stop(self, *_: object) -> None:
        """Finish the running step, write a checkpoint, leave."""
        self.stopping = True

    def micro_batch(self) -> Tensor:
        """The next rows, `micro_tokens` tokens without each row's last: (rows, length + 1)."""
        first = next(self.rows)
        count = self.preset.micro_tokens // (len(first) - 1)
        batch = torch.stack([first, *(next(self.rows) for _ in range(count - 1))])
        self.progress.rows += count
        return batch.to(self.preset.device)

    def batch_loss(self, batch: Tensor) -> Tensor:
        """Mean loss in nats per token."""
        with self.precision():
            return self.loss(batch[:, :-1], batch[:, 1:], IGNORE)

    def step(self) -> float:
        """One optimiser step; its mean loss."""
        parts = self.preset.batch_tokens // self.preset.micro_tokens
        total = 0.0
        for _ in range(parts):
            loss = self.batch_loss(self.micro_batch()) / parts
            torch.autograd.backward(loss)
            total += loss.item()
        options = self.arguments
        warmup, decay = self.preset.warmup_steps, options.decay_steps
        scale = rate_scale(self.progress.step, options.steps, warmup, decay)
        self.optimiser.step(self.progress.step + 1, scale)
        self.progress.step += 1
        self.progress.tokens += self.preset.batch_tokens
        return total

    @torch.no_grad()
    def validate(self, count: int = 64) -> float:
        """Mean loss over the first rows of the validation shards."""
        rows = read_rows(self.arguments.valid, 0)
        size = max(1, self.preset.micro_tokens // (len(next(rows)) - 1))
        size = min(size, count)
        losses = []
        for _ in range(count // size):
            batch = torch.stack([next(rows) for _ in range(size)]).to(self.preset.device)
            with self.precision():
                losses.append(self.model.loss(batch[:, :-1], batch[:, 1:], IGNORE).item())
        return sum(losses) / len(losses)

    def save(self) -> None:
        """Write the checkpoint."""
        checkpoint.save(self.folder, self.model, self.optimiser, self.progress)

    def run(self) -> None:
        """Steps until `--steps` or SIGTERM, with a progress line and a checkpoint now and then."""
        started, before = time.monotonic(), self.progress.seconds
        first, saved = self.progress.step, started
        losses: list[float] = []
        while self.progress.step < self.arguments.steps and not self.stopping:
            losses.append(self.step())
            now = time.monotonic()
            self.progress.seconds = before + now - started
            if self.progress.step % self.arguments.report_steps == 0:
                self.report(losses, (now - started) / (self.progress.step - first))
                losses = []
            if now - saved > self.arguments.checkpoint_seconds:
                self.save()
                saved = now
            if self.progress.step % self.arguments.validate_steps == 0:
                print(f"step {self.progress.step} validation {self.validate():.4f}", flush=True)
        self.save()
        print(f"stopped at step {self.progress.step}, validation {self.validate():.4f}", flush=True)

    def report(self, losses: list[float], seconds_per_step: float) -> None:
        """One progress line: loss in nats per token, speed, time left."""
        left = (self.arguments.steps - self.progress.step) * seconds_per_step
        speed = self.preset.batch_tokens / seconds_per_step
        print(
            f"step {self.progress.step}/{self.arguments.steps}"
            f" loss {sum(losses) / len(losses):.4f} tokens {self.progress.tokens / 1e6:.2f}M"
            f" {speed:.0f} tok/s elapsed {self.progress.seconds / 60:.1f} min"
            f" left {left / 60:.1f} min",
            flush=True,
        )


def parse_arguments() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", choices=PRESETS, required=True)
    parser.add_argument("--shards", type=Path, required=True)
    parser.add_argument("--valid", type=Path, required=True, help="validation shards")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--start-from", type=Path, help="model folder whose weights a new run starts with"
    )
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--decay-steps", type=int, default=500)
    parser.add_argument("--muon-rate", type=float, default=0.02)
    parser.add_argument("--adam-rate", type=float, default=0.003)
    parser.add_argument("--threads", type=int, default=0, help="0: as PyTorch chooses")
    parser.add_argument("--report-steps", type=int, default=10)
    parser.add_argument("--validate-steps", type=int, default=200)
    parser.add_argument("--checkpoint-seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    """Train."""
    trainer = Trainer(parse_arguments())
    signal.signal(signal.SIGTERM, trainer.stop)
    trainer.run()


if __name__ == "__main__":
    main()

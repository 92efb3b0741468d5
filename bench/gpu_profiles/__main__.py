"""Writes `profiles/<hardware>/<model>.json` for every GPU and model that fit together.

    python -m bench.gpu_profiles DATA

DATA is a folder of aiconfigurator's kernel tables; pyarrow, which reads them, must be installed.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from bench.gpu_profiles.make import MODELS, make
from cato_backend.commands.arguments import output_folder
from cato_backend.profile_files.document import ProfileFile
from cato_backend.profile_files.files import save_profile
from cato_backend.profile_files.hardware import file_name, gpu_kinds

ROOT = Path(__file__).parents[2]


def main() -> None:
    """Writes the files and says which there are."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with the kernel tables")
    parser.add_argument(
        "--out", type=output_folder, default=ROOT / "profiles", help="where the files go"
    )
    parser.add_argument("--date", default=datetime.now(UTC).date().isoformat())
    arguments = parser.parse_args()
    for hardware in (kind.name for kind in gpu_kinds()):
        for model in MODELS:
            written = make(model, hardware, arguments.data, arguments.date)
            if written is not None:
                save_profile(written, arguments.out / hardware / file_name(model))
                print(_line(written))


def _line(file: ProfileFile) -> str:
    """A row for people: KV tokens; ms of a step of 1 and of 32 sequences with 2,000 tokens each,
    and of a prompt of 1,500."""
    law, kv = file.law.law(), file.limits.kv_cache_tokens
    one, many = law.seconds(1, 1, 2000), law.seconds(32, 32, 64_000)
    prompt = law.seconds(1500, 1, 1500, 1500**2 / 2)
    return (
        f"| {file.hardware} | {file.model} | {file.made.method} | {kv:,} "
        f"| {one * 1000:.1f} | {many * 1000:.1f} | {prompt * 1000:.1f} |"
    )


if __name__ == "__main__":
    main()

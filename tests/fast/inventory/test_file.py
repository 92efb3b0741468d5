"""A file of GPUs that are not bought yet, and what is said of one that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from cato_backend.errors import ConfigError
from cato_backend.inventory.file import read_gpus


def test_each_row_is_so_many_gpus_of_a_node(tmp_path: Path) -> None:
    file = tmp_path / "gpus.toml"
    file.write_text(
        '[[gpus]]\ngpu = "l40s"\ncount = 2\nnode = "a"\n'
        '[[gpus]]\ngpu = "next-year"\nmemory_gb = 200\nnode = "a"\n'
        '[[gpus]]\ngpu = "l4"\nnode = "b"\n'
    )
    found = [(gpu.label, gpu.name, gpu.total) for gpu in read_gpus(file)]
    assert found == [
        ("a/0", "l40s", 48_000_000_000),
        ("a/1", "l40s", 48_000_000_000),
        ("a/2", "next-year", 200_000_000_000),
        ("b/0", "l4", 24_000_000_000),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no GPU is listed; expected [[gpus]]"),
        ("gpus = []", "no GPU is listed"),
        ('[[gpus]]\ngpu = "next-year"', "gpus.0.memory_gb: missing; the memory of 'next-year'"),
        ('[[gpus]]\ngpu = "l4"\n[[gpus]]\ncount = 2', "gpus.1.gpu: Field required"),
        ('[[gpus]]\ngpu = "l4"\ncount = 0', "gpus.0.count"),
        ('[[gpus]]\ngpu = "l4"\nprice = 3', "gpus.0.price: Extra inputs"),
        ("[[gpus", "not TOML"),
    ],
)
def test_a_file_with_gaps_is_refused_by_field(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "gpus.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as refused:
        read_gpus(file)
    assert said in str(refused.value)
    assert str(refused.value).startswith(str(file))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: No such file"):
        read_gpus(tmp_path / "none.toml")

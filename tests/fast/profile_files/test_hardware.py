"""Which profiles belong to which GPU, by the product name that NVML tells."""

from __future__ import annotations

import pytest

from cato_backend.profile_files.hardware import gpu_hardware


@pytest.mark.parametrize(
    ("product", "name"),
    [
        ("Tesla T4", "t4"),
        ("NVIDIA T4G", "t4g"),
        ("NVIDIA L4", "l4"),
        ("NVIDIA L40", "l40"),
        ("NVIDIA L40S", "l40s"),
        ("NVIDIA A10", "a10"),
        ("NVIDIA A10G", "a10g"),
        ("NVIDIA A100-SXM4-80GB", "a100-80gb"),
        ("NVIDIA A100 80GB PCIe", "a100-80gb"),
        ("NVIDIA A100-SXM4-40GB", "a100-sxm4-40gb"),
        ("NVIDIA A100-SXM4-80GB MIG 3g.40gb", "a100-sxm4-80gb-mig-3g-40gb"),
        ("NVIDIA GeForce RTX 4090", "rtx-4090"),
        ("NVIDIA GeForce RTX 4090 D", "geforce-rtx-4090-d"),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", "geforce-rtx-4090-laptop-gpu"),
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA H100 80GB HBM3 MIG 1g.10gb", "h100-80gb-hbm3-mig-1g-10gb"),
        ("NVIDIA H100 PCIe", "h100-pcie"),
        ("NVIDIA H100 NVL", "h100-nvl"),
        ("NVIDIA H200", "h200"),
        ("NVIDIA H200 NVL", "h200-nvl"),
        ("NVIDIA GH200 480GB", "gh200-480gb"),
        ("NVIDIA B200", "b200"),
        ("NVIDIA RTX 6000 Ada Generation", "rtx-6000-ada-generation"),
        ("Quadro P400", "quadro-p400"),
    ],
)
def test_only_a_whole_card_of_the_table_has_its_profiles(product: str, name: str) -> None:
    assert gpu_hardware(product) == name

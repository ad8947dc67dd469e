"""What the machine has, as the system tells of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.machine import Memory, cgroup_limit, cpu_flags, detect_machine, parse_gpus

pytestmark = pytest.mark.pure


def group(folder: Path, names: tuple[str, str], limit: str, used: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(limit)
    (folder / names[1]).write_text(str(used))


def test_the_tightest_group_counts(tmp_path: Path) -> None:
    cgroup_file = tmp_path / "cgroup"
    version_2, version_1 = ("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")
    cgroup_file.write_text("0::/a/b\n")
    group(tmp_path / "v2" / "a", version_2, "1000", 900)
    group(tmp_path / "v2" / "a" / "b", version_2, "max", 100)
    assert cgroup_limit(cgroup_file, tmp_path / "v2") == (1000, 100)
    cgroup_file.write_text("5:cpu:/x\n4:memory:/a\n0::/\n")
    group(tmp_path / "v1" / "memory" / "a", version_1, "2000", 500)
    group(tmp_path / "v1" / "memory", version_1, str(2**63 - 4096), 5000)
    assert cgroup_limit(cgroup_file, tmp_path / "v1") == (2000, 1500)
    assert cgroup_limit(tmp_path / "nothing", tmp_path) == (None, None)
    assert Memory(100, 50).available == 50
    assert Memory(100, 50, 40, 30).available == 30


def test_gpus_and_flags(tmp_path: Path) -> None:
    (gpu,) = parse_gpus("NVIDIA A100-SXM4-40GB, 40960, 40000, 8.0\n\n")
    assert (gpu.name, gpu.total, gpu.free) == ("NVIDIA A100-SXM4-40GB", 40960 * 1024**2, 40000 * 1024**2)
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nflags\t\t: fpu avx512_bf16\n")
    assert cpu_flags(tmp_path / "cpuinfo") == {"fpu", "avx512_bf16"}
    assert cpu_flags(tmp_path / "none") == set()


def test_this_machine() -> None:
    detected = detect_machine()
    assert 0 < detected.memory.free <= detected.memory.total
    assert detected.available > 0
    assert detected.device in {"cpu", "cuda"}

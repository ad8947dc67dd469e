"""What this machine has: memory, cores, GPUs. Read from the system alone; no library for models is loaded."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

MB = 1_000_000
_MIB = 1024 * 1024
# Limits above this are how version 1 of control groups says that there is none.
_NO_LIMIT = 1 << 60
_BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
# The first generation of NVIDIA's processors that multiplies in bf16.
_AMPERE = 8.0


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU as its driver tells of it; bytes."""

    name: str
    total: int
    free: int
    capability: float


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that the machine has, that are free now, and that the control group allows (None: no limit)."""

    total: int
    free: int
    limit: int | None = None
    left: int | None = None

    @property
    def available(self) -> int:
        """What may be used from now on."""
        return self.free if self.left is None else min(self.free, self.left)


@dataclass(frozen=True, slots=True)
class Machine:
    """What training can use. `bf16`: the processor multiplies in bf16 by itself."""

    memory: Memory
    bf16: bool
    gpus: list[Gpu] = field(default_factory=list)

    @property
    def device(self) -> str:
        """Where models are trained."""
        return "cuda" if self.gpus else "cpu"

    @property
    def available(self) -> int:
        """The bytes that training can use there."""
        return self.gpus[0].free if self.gpus else self.memory.available

    @property
    def fast_bf16(self) -> bool:
        """Whether bf16 is native where models are trained."""
        return self.gpus[0].capability >= _AMPERE if self.gpus else self.bf16


def detect_machine() -> Machine:
    """This machine, as it is now."""
    return Machine(read_memory(), bool(_BF16_FLAGS & cpu_flags(Path("/proc/cpuinfo"))), list_gpus())


def read_memory(groups: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> Memory:
    """Memory, and what the control group of this process still allows (versions 1 and 2)."""
    import psutil

    found = psutil.virtual_memory()
    limit, left = cgroup_limit(groups, root)
    return Memory(int(found.total), int(found.available), limit, left)


def cgroup_limit(groups: Path, root: Path) -> tuple[int | None, int | None]:
    """The limit of the control group in bytes and what is left of it, the tightest of all that hold; None: no limit."""
    try:
        lines = groups.read_text().splitlines()
    except OSError:
        return None, None
    found: list[tuple[int, int]] = []
    for line in lines:
        _, kinds, inside = line.split(":", 2)
        if kinds and "memory" not in kinds.split(","):
            continue
        base = root / "memory" if kinds else root
        names = ("memory.limit_in_bytes", "memory.usage_in_bytes") if kinds else ("memory.max", "memory.current")
        place = base / inside.lstrip("/")
        for folder in (place, *place.parents):
            if folder == base.parent:
                break
            limit, used = (_number(folder / name) for name in names)
            if limit is not None and limit < _NO_LIMIT:
                found.append((limit - (used or 0), limit))
    left, limit = min(found, default=(None, None))
    return limit, left


def cpu_flags(cpuinfo: Path) -> set[str]:
    """What the processor can do, in the words of the kernel (`flags` or, on ARM, `Features`)."""
    try:
        text = cpuinfo.read_text()
    except OSError:
        return set()
    lines = (line.partition(":") for line in text.splitlines())
    return {flag for name, _, rest in lines if name.strip() in {"flags", "Features"} for flag in rest.split()}


def list_gpus() -> list[Gpu]:
    """The NVIDIA GPUs, by their driver's own tool; none if it is not there or does not answer."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    wanted = "name,memory.total,memory.free,compute_cap"
    try:
        told = subprocess.run(  # noqa: S603  the driver's tool, without words of others
            [tool, f"--query-gpu={wanted}", "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return parse_gpus(told.stdout)


def parse_gpus(text: str) -> list[Gpu]:
    """What nvidia-smi has told, a GPU a line."""
    found = []
    for line in filter(None, text.splitlines()):
        name, total, free, capability = (part.strip() for part in line.rsplit(",", 3))
        found.append(Gpu(name, int(total) * _MIB, int(free) * _MIB, float(capability)))
    return found


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):  # 'max' is no number
        return None

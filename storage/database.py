"""The SQLite file: opening it, migrating it, and short write transactions."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

# Equal to the number of migrations (a test holds that). Reading it costs one pragma, so that opening an up-to-date
# file does not import sqlite-utils, which alone takes as long as the first screen.
VERSION = 5

BUSY_TIMEOUT_S, PERSON_S = 30.0, 10.0
# So many rows of a large act are written in one transaction: a tenth of a second at the most.
CHUNK_SIZE = 500


def _nobody(_: str) -> None:
    """Whom a sentence is told that nobody waits for."""


class DatabaseError(Exception):
    """The file cannot be used; `str()` of it says why and what to do."""


def connect(
    path: Path, *, wait: float = BUSY_TIMEOUT_S, on_migrated: Callable[[str], None] = _nobody
) -> sqlite3.Connection:
    """A connection to the database at `path`, created or migrated as needed.

    It waits for others `wait` seconds, now and later. An older file is copied to `<name>.v<version>.bak` before it is
    migrated; `migrated` is told then, in a sentence for the person. Raises DatabaseError for a file that is newer than
    this program, is no database, or cannot be opened. Rows come as `sqlite3.Row`; there is no implicit transaction:
    write inside `transaction(connection)`.
    """
    deadline = time.monotonic() + wait
    while True:
        try:
            return _open(path, wait, on_migrated)
        except sqlite3.DatabaseError as error:
            # Several that make a new file at once can meet an I/O error, which passes.
            passing = busy(error) or getattr(error, "sqlite_errorname", "").startswith("SQLITE_IOERR")
            if not passing or time.monotonic() > deadline:
                why = (
                    "another process holds the database: nothing was changed; try again when it is done"
                    if busy(error)
                    else f"{error}: is it a Sidequest database, and may it be written?"
                )
                raise DatabaseError(f"{path}: {why}") from None
            time.sleep(0.02)


def _open(path: Path, wait: float, migrated: Callable[[str], None]) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=wait, isolation_level=None, check_same_thread=False)
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        version = schema_version(connection)
        if version > VERSION:
            raise DatabaseError(
                f"{path} was written by a newer Sidequest (its version is {version}, this program knows {VERSION}): "
                "update with `pip install --upgrade sidequest`, or open another project"
            )
        if version < VERSION:
            _migrate(connection, path, version, migrated)
        connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        connection.close()
        raise
    return connection


def connect_durably(path: Path, *, on_migrated: Callable[[str], None] = _nobody) -> sqlite3.Connection:
    """Like `connect`, for what a person decides and waits for: each commit reaches the disk before it returns."""
    connection = connect(path, wait=PERSON_S, on_migrated=on_migrated)
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def schema_version(connection: sqlite3.Connection) -> int:
    """How many migrations the file has seen; 0 for a new one."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def data_version(connection: sqlite3.Connection) -> int:
    """A number that changes when another connection has committed; the cheapest way to see that nothing has."""
    return int(connection.execute("PRAGMA data_version").fetchone()[0])


class BusyError(sqlite3.OperationalError):
    """Another process held the database for too long: nothing was written."""


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """A write transaction that takes its lock at once, so that it never fails half way for a reader's sake.

    Raises BusyError if another process holds the lock for longer than the connection waits.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if not busy(error):
            raise
        raise BusyError("another process holds the database: nothing was written; try again in a moment") from None
    try:
        yield connection
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """What is read inside is of one moment, whatever others write meanwhile; they need not wait for it."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


def write_in_chunks(
    connection: sqlite3.Connection, items: Sequence[T], write_chunk: Callable[[Sequence[T]], None]
) -> Iterator[int]:
    """Let `write` write `items` in short transactions; yields how many are done, from 0, before and after each.

    Between two of them others get as long as the last one took. Whoever stops asking for more leaves the rest.
    """
    yield 0
    for start in range(0, len(items), CHUNK_SIZE):
        began = time.monotonic()
        with transaction(connection):
            write_chunk(items[start : start + CHUNK_SIZE])
        yield min(start + CHUNK_SIZE, len(items))
        if start + CHUNK_SIZE < len(items):
            time.sleep(time.monotonic() - began)


@contextmanager
def busy_timeout(connection: sqlite3.Connection, seconds: float) -> Iterator[None]:
    """Wait no longer than `seconds` for another process's write, where a person waits for the answer."""
    before = int(connection.execute("PRAGMA busy_timeout").fetchone()[0])
    connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
    try:
        yield
    finally:
        connection.execute(f"PRAGMA busy_timeout = {before}")


def busy(error: sqlite3.Error) -> bool:
    """Whether `error` says that another process holds the database."""
    return getattr(error, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def _migrate(connection: sqlite3.Connection, path: Path, version: int, migrated: Callable[[str], None]) -> None:
    from storage.migrations import apply

    connection.execute("PRAGMA journal_mode = WAL")
    backup = path.with_name(f"{path.name}.v{version}.bak")
    if version and not backup.exists():
        partial = backup.with_name(f"{backup.name}.part")
        with sqlite3.connect(partial) as copy:
            connection.backup(copy)
        copy.close()
        partial.replace(backup)
    # Of several that open it at once, one does it.
    if apply(connection) and version:
        migrated(f"{path.name} was brought from version {version} to {VERSION}; as it was, it is kept as {backup.name}")

"""The SQLite file: opening it, migrating it, and short write transactions."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from storage.errors import UserError

T = TypeVar("T")

# Equal to the number of migrations (a test holds that). Reading it costs one pragma, so that opening an up-to-date
# file does not import sqlite-utils, which alone takes as long as the first screen.
VERSION = 8

BUSY_TIMEOUT_S, INTERACTIVE_TIMEOUT_S = 30.0, 10.0
# Rows of a large act that are written in one transaction: a tenth of a second at the most.
CHUNK_SIZE = 500


def _ignore(_: str) -> None:
    """Drop a message that nobody waits for."""


class DatabaseError(UserError):
    """The file cannot be used; `str()` of it says why and what to do."""


def connect(
    path: Path, *, wait: float = BUSY_TIMEOUT_S, on_migrated: Callable[[str], None] = _ignore
) -> sqlite3.Connection:
    """Open the database at `path`; it is created or migrated if necessary.

    The connection waits up to `wait` seconds for other processes, now and in later writes. Before an older file is
    migrated, it is copied to `<name>.v<version>.bak`, and `on_migrated` is called with a sentence for the person. Rows
    are `sqlite3.Row`. There is no implicit transaction: write inside `transaction(connection)`.

    Raises DatabaseError if the file was written by a newer program, is no database, or cannot be opened.
    """
    deadline = time.monotonic() + wait
    while True:
        try:
            return _open(path, wait, on_migrated)
        except sqlite3.DatabaseError as error:
            # Several processes that create the file at once can meet an I/O error, which passes.
            temporary = busy(error) or getattr(error, "sqlite_errorname", "").startswith("SQLITE_IOERR")
            if not temporary or time.monotonic() > deadline:
                problem = (
                    "another process holds the database: nothing was changed; try again when it is done"
                    if busy(error)
                    else f"{error}: is it a Sidequest database, and may it be written?"
                )
                raise DatabaseError(f"{path}: {problem}") from None
            time.sleep(0.02)


def _open(path: Path, wait: float, on_migrated: Callable[[str], None]) -> sqlite3.Connection:
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
            _migrate(connection, path, version, on_migrated)
        connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        connection.close()
        raise
    return connection


def connect_durably(path: Path, *, on_migrated: Callable[[str], None] = _ignore) -> sqlite3.Connection:
    """Like `connect`, for decisions of a person who waits: each commit reaches the disk before it returns."""
    connection = connect(path, wait=INTERACTIVE_TIMEOUT_S, on_migrated=on_migrated)
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def schema_version(connection: sqlite3.Connection) -> int:
    """How many migrations the file has had; 0 for a new file."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def data_version(connection: sqlite3.Connection) -> int:
    """A number that changes when another connection commits; the cheapest way to see that nothing changed."""
    return int(connection.execute("PRAGMA data_version").fetchone()[0])


class BusyError(sqlite3.OperationalError):
    """Another process held the database for too long; nothing was written."""


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """A write transaction that takes its lock at once, so that it never fails half way because of a reader.

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
    """Everything read inside comes from one moment, whatever others write meanwhile; writers need not wait."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


def write_in_chunks(
    connection: sqlite3.Connection, items: Sequence[T], write_chunk: Callable[[Sequence[T]], None]
) -> Iterator[int]:
    """Call `write_chunk` with successive parts of `items`, each in a short transaction; yields how many are done.

    It yields 0 first, and then after each transaction. Between two transactions it pauses for as long as the last one
    took, so that others get their turn. Closing the iterator early leaves the rest unwritten.
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
    """Inside, wait at most `seconds` for another process's write; for answers that a person waits for."""
    previous = int(connection.execute("PRAGMA busy_timeout").fetchone()[0])
    connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
    try:
        yield
    finally:
        connection.execute(f"PRAGMA busy_timeout = {previous}")


def busy(error: sqlite3.Error) -> bool:
    """Whether `error` says that another process holds the database."""
    return getattr(error, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def _migrate(connection: sqlite3.Connection, path: Path, version: int, on_migrated: Callable[[str], None]) -> None:
    from storage.migrations import apply

    connection.execute("PRAGMA journal_mode = WAL")
    backup = path.with_name(f"{path.name}.v{version}.bak")
    if version and not backup.exists():
        partial = backup.with_name(f"{backup.name}.part")
        with sqlite3.connect(partial) as copy:
            connection.backup(copy)
        copy.close()
        partial.replace(backup)
    # If several processes open the file at once, only one of them migrates it.
    if apply(connection) and version:
        on_migrated(
            f"{path.name} was brought from version {version} to {VERSION}; as it was, it is kept as {backup.name}"
        )

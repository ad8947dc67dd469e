"""Opening, migrating and refusing database files."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from sqlite_utils import Database, Migrations

from storage import database, migrations
from storage.database import DatabaseError, connect, connect_durably, schema_version, transaction


def test_version_is_the_number_of_migrations(tmp_path: Path) -> None:
    connection = connect(tmp_path / "x.db")
    assert len(migrations.migrations.applied(Database(connection))) == database.VERSION
    assert schema_version(connection) == database.VERSION


def test_a_new_file_is_in_wal_mode_and_durable_where_asked(tmp_path: Path) -> None:
    connection = connect_durably(tmp_path / "x.db")
    assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2


def test_a_newer_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    connection = connect(path)
    connection.execute(f"PRAGMA user_version = {database.VERSION + 1}")
    connection.close()
    content_before = path.read_bytes()
    with pytest.raises(DatabaseError, match="newer Sidequest"):
        connect(path)
    assert path.read_bytes() == content_before


def one_more(monkeypatch: pytest.MonkeyPatch, *statements: str) -> None:
    """A program that is a version newer, by a step of these statements."""
    newer = Migrations("sidequest")
    for step in migrations.migrations._migrations:
        newer(name=step.name)(step.fn)

    @newer()
    def more(db: Database) -> None:
        for statement in statements:
            db.conn.execute(statement)

    monkeypatch.setattr(migrations, "migrations", newer)
    monkeypatch.setattr(database, "VERSION", database.VERSION + 1)


EXTRA = "CREATE TABLE extra (x INTEGER) STRICT"


def test_an_older_file_is_backed_up_then_migrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, messages = tmp_path / "x.db", list[str]()
    connect(path, on_migrated=messages.append).close()
    assert messages == []  # it is new
    one_more(monkeypatch, EXTRA)
    connection = connect(path, on_migrated=messages.append)
    assert connection.execute("SELECT count(*) FROM extra").fetchone()[0] == 0
    old = database.VERSION - 1
    backup = sqlite3.connect(tmp_path / f"x.db.v{old}.bak")
    assert backup.execute("PRAGMA user_version").fetchone()[0] == old
    assert backup.execute("SELECT count(*) FROM sqlite_master WHERE name = 'extra'").fetchone()[0] == 0
    connect(path, on_migrated=messages.append).close()
    assert messages == [f"x.db was brought from version {old} to {old + 1}; as it was, it is kept as x.db.v{old}.bak"]


def test_a_failing_migration_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.db"
    connect(path).close()
    one_more(monkeypatch, EXTRA, "this is no SQL")
    with pytest.raises(DatabaseError):
        connect(path)
    reopened = sqlite3.connect(path)
    assert reopened.execute("SELECT count(*) FROM sqlite_master WHERE name = 'extra'").fetchone()[0] == 0
    assert reopened.execute("PRAGMA user_version").fetchone()[0] == database.VERSION - 1


def test_an_older_file_that_another_process_holds_is_not_called_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.db"
    holder = connect(path)
    one_more(monkeypatch, EXTRA)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseError, match="another process holds the database: nothing") as raised:
        connect(path, wait=0.1)
    assert "is it a Sidequest database" not in str(raised.value)
    holder.execute("ROLLBACK")
    connect(path, wait=0.1)


def test_what_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(DatabaseError, match=r"x\.db"):
        connect(path)


def test_many_open_a_new_file_at_once(tmp_path: Path) -> None:
    path, errors = tmp_path / "x.db", list[Exception]()

    def open_it() -> None:
        try:
            connect(path).close()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert schema_version(connect(path)) == database.VERSION


def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    connection = connect(tmp_path / "x.db")
    with pytest.raises(RuntimeError), transaction(connection):
        connection.execute("INSERT INTO capabilities VALUES ('u', 'm', '{}', 'now')")
        raise RuntimeError
    assert connection.execute("SELECT count(*) FROM capabilities").fetchone()[0] == 0

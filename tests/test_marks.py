"""A test that is marked as pure is held to it, so that `make check-fast` stays fast and needs nothing."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
import sys

import pytest

pytestmark = pytest.mark.pure


def test_a_pure_test_opens_no_database() -> None:
    with pytest.raises(AssertionError, match="a pure test"):
        sqlite3.connect(":memory:")


def test_a_pure_test_starts_no_process() -> None:
    with pytest.raises(AssertionError, match="a pure test"):
        subprocess.run([sys.executable, "--version"], check=True)


def test_a_pure_test_reaches_nobody() -> None:
    with socket.socket() as made, pytest.raises(AssertionError, match="a pure test"):
        made.connect(("127.0.0.1", 9))

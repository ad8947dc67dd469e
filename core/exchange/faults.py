"""What goes wrong with a file, and with a single record of it."""

from __future__ import annotations

from storage.errors import UserError


class FileError(UserError, ValueError):
    """A file cannot be read; `str()` of it says which, where and why."""


class RejectedError(ValueError):
    """A record is no example; `str()` of it says why."""

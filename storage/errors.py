"""The one error that ends in a message for a person, and not in a traceback."""

from __future__ import annotations


class UserError(Exception):
    """A request that cannot be met as it stands; `str()` of it says what is wrong, and what the person can do.

    Every error that a person can mend derives from this one: the command line prints its message and exits with 2, the
    app shows it. Some are a ValueError as well, where a library or a caller expects one.
    """

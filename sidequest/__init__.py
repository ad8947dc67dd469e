"""The one name that an installed Sidequest has: it starts the app and the command line, and offers no API.

Nothing is imported here: this file runs before `__main__` has taken the current directory off the path.
"""

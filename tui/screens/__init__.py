"""The screens of the app, a folder each: `screen.py`, and what only it uses."""

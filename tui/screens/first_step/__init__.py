"""The first step: a folder without a project."""

"""Runs: all of them, and the log of the chosen one."""

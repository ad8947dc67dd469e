"""Levels, cells and quotas: what is wanted, what exists, what is missing."""

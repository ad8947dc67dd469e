"""Levels, cells and quotas: what is wanted, what is there, what is missing."""

"""Repair: what was written in place of stale fields, beside what was there."""

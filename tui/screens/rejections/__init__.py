"""Rejections: where does QA fail, and why."""

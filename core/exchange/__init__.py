"""Imports examples from files of many shapes, and exports them."""

"""Benchmark: how far the runs are, what they say so far, and how to stop them."""

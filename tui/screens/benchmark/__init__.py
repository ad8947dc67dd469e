"""Benchmark: is it running, what does it say so far, can I stop."""

"""Dataset: all examples in a list."""

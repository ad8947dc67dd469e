"""Examples in from files of any shape."""

"""Review: one example, whole; one key, next."""
